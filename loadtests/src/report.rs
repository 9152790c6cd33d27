//! What a run found, and how it is shown: a table on the terminal, JSON for programs, Markdown for the documentation.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::scenario::{Bar, Scenario, Server};

/// The metrics and the failed promises of one run against one server.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Outcome {
    pub metrics: Vec<(String, f64)>,
    /// Broken promises (a gap, a duplicate, a lost connection): a run with any is a failed run, whatever its speed.
    pub broken: Vec<String>,
    /// What a reader needs to know beside the figures.
    #[serde(default)]
    pub notes: Vec<String>,
}

impl Outcome {
    pub fn put(&mut self, name: &str, value: f64) {
        self.metrics.push((name.to_owned(), value));
    }

    /// p50, p99 and the worst of some durations in milliseconds.
    pub fn put_latencies(&mut self, name: &str, samples_ms: &mut [f64]) {
        samples_ms.sort_by(f64::total_cmp);
        self.put(&format!("{name}_p50_ms"), percentile(samples_ms, 0.50));
        self.put(&format!("{name}_p99_ms"), percentile(samples_ms, 0.99));
        self.put(&format!("{name}_max_ms"), percentile(samples_ms, 1.0));
    }

    pub fn must(&mut self, kept: bool, promise: impl FnOnce() -> String) {
        if !kept {
            self.broken.push(promise());
        }
    }

    pub fn get(&self, name: &str) -> Option<f64> {
        self.metrics.iter().find(|(metric, _)| metric == name).map(|(_, value)| *value)
    }
}

/// Of sorted samples; 0 of none.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle), values.len() % 2) {
        (Some(value), 1) => *value,
        (Some(value), _) => (value + values.get(middle.wrapping_sub(1)).unwrap_or(value)) / 2.0,
        (None, _) => f64::NAN,
    }
}

/// All rounds of one scenario.
#[derive(Debug, Serialize, Deserialize)]
pub struct Row {
    pub scenario: String,
    pub title: String,
    pub servers: Vec<ServerRow>,
    pub bars: Vec<BarResult>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct ServerRow {
    pub server: Server,
    pub rounds: Vec<Outcome>,
    /// (metric, median, lowest, highest)
    pub medians: Vec<(String, f64, f64, f64)>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct BarResult {
    pub text: String,
    pub value: Option<f64>,
    pub reached: bool,
}

impl Row {
    pub fn new(scenario: &Scenario, rounds: BTreeMap<Server, Vec<Outcome>>) -> Self {
        let servers: Vec<_> = rounds.into_iter().map(|(server, rounds)| ServerRow::new(server, rounds)).collect();
        let mut row =
            Self { scenario: scenario.name.clone(), title: scenario.title.clone(), servers, bars: Vec::new() };
        row.bars = scenario.bars.iter().filter_map(|bar| row.judge(bar)).collect();
        row
    }

    fn median(&self, server: Server, metric: &str) -> Option<f64> {
        let row = self.servers.iter().find(|row| row.server == server)?;
        row.medians.iter().find(|(name, ..)| name == metric).map(|(_, median, ..)| *median)
    }

    /// `None` where the bar's server was not part of the run.
    fn judge(&self, bar: &Bar) -> Option<BarResult> {
        self.servers.iter().find(|row| row.server == bar.server)?;
        let mut value = self.median(bar.server, &bar.metric);
        let mut text = bar.metric.clone();
        if let Some(other) = bar.relative_to {
            value = value.zip(self.median(other, &bar.metric)).map(|(own, other)| own / other);
            text = format!("{text} relative to {}", other.name());
        }
        let below = bar.at_most.is_none_or(|limit| value.is_some_and(|value| value <= limit));
        let above = bar.at_least.is_none_or(|limit| value.is_some_and(|value| value >= limit));
        for (word, limit) in [("≤", bar.at_most), ("≥", bar.at_least)] {
            if let Some(limit) = limit {
                text = format!("{text} {word} {}", figure(limit));
            }
        }
        Some(BarResult { text, value, reached: below && above })
    }

    pub fn broken(&self) -> bool {
        self.servers.iter().any(|row| row.rounds.iter().any(|round| !round.broken.is_empty()))
    }

    /// The metrics side by side. Markdown and the terminal read the same lines.
    pub fn table(&self) -> String {
        let mut out = format!("### {}: {}\n\n| metric |", self.scenario, self.title);
        for row in &self.servers {
            out.push_str(&format!(" {} |", row.server.name()));
        }
        out.push_str(&format!("\n|---|{}\n", "---:|".repeat(self.servers.len())));
        let mut names: Vec<&str> = Vec::new();
        for (name, ..) in self.servers.iter().flat_map(|row| &row.medians) {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        for name in names {
            out.push_str(&format!("| {name} |"));
            for row in &self.servers {
                match row.medians.iter().find(|(metric, ..)| metric == name) {
                    Some((_, median, low, high)) if row.rounds.len() > 1 => {
                        out.push_str(&format!(" {} ({}–{}) |", figure(*median), figure(*low), figure(*high)));
                    }
                    Some((_, median, ..)) => out.push_str(&format!(" {} |", figure(*median))),
                    None => out.push_str(" – |"),
                }
            }
            out.push('\n');
        }
        if !self.bars.is_empty() {
            out.push('\n');
        }
        for bar in &self.bars {
            let value = bar.value.map_or("not measured".to_owned(), figure);
            out.push_str(&format!(
                "- {}: **{value}** ({})\n",
                bar.text,
                if bar.reached { "reached" } else { "missed" }
            ));
        }
        for row in &self.servers {
            for note in row.rounds.first().into_iter().flat_map(|round| &round.notes) {
                out.push_str(&format!("- {}: {note}\n", row.server.name()));
            }
            for (round, outcome) in row.rounds.iter().enumerate() {
                for promise in &outcome.broken {
                    out.push_str(&format!("- broken by {} in round {}: {promise}\n", row.server.name(), round + 1));
                }
            }
        }
        out
    }
}

impl ServerRow {
    fn new(server: Server, rounds: Vec<Outcome>) -> Self {
        let names: Vec<String> =
            rounds.first().into_iter().flat_map(|round| &round.metrics).map(|(name, _)| name.clone()).collect();
        let medians = names.into_iter().map(|name| {
            let values: Vec<f64> = rounds.iter().filter_map(|round| round.get(&name)).collect();
            let low = values.iter().copied().fold(f64::INFINITY, f64::min);
            let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            (name, median(values), low, high)
        });
        Self { server, medians: medians.collect(), rounds }
    }
}

/// Three significant digits, thousands apart.
fn figure(value: f64) -> String {
    let decimals = match value.abs() {
        0.0 => 0,
        below if below < 1.0 => 3,
        below if below < 10.0 => 2,
        below if below < 100.0 => 1,
        _ => 0,
    };
    let plain = format!("{value:.decimals$}");
    let (whole, fraction) = plain.split_once('.').map_or((plain.as_str(), None), |(whole, rest)| (whole, Some(rest)));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 && digit.is_ascii_digit() && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    fraction.map_or(grouped.clone(), |fraction| format!("{grouped}.{fraction}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short_and_grouped() {
        assert_eq!(figure(1_234_567.8), "1,234,568");
        assert_eq!(figure(2.345), "2.35");
        assert_eq!(figure(0.0), "0");
        assert_eq!(figure(-12.34), "-12.3");
    }

    #[test]
    fn medians_and_percentiles_of_few_samples() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0]), 2.5);
        assert_eq!(percentile(&[1.0, 2.0, 3.0], 0.5), 2.0);
        assert_eq!(percentile(&[1.0, 2.0, 3.0], 0.99), 3.0);
        assert_eq!(percentile(&[], 0.5), 0.0);
    }
}
