//! Tells this node about tenants that changed elsewhere: another node, or the operator's command, which is a process of its own.
//!
//! R9: a suspension reaches sockets within a second, so the poll is twice as fast.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::store;
use crate::infra::bus::News;
use crate::infra::pg::{Pg, PgError};
use crate::kernel::TenantId;

const EVERY: Duration = Duration::from_millis(500);
/// How far back each look goes behind the newest change seen: transactions commit late, and clocks of nodes differ.
const OVERLAP: TimeDelta = TimeDelta::seconds(30);

/// Looks for as long as the process lives.
pub async fn run(pg: Pg) {
    let mut seen = Seen::default();
    loop {
        match look(&pg, &mut seen).await {
            Ok(changed) => {
                for tenant in changed {
                    pg.bus().publish(News::TenantChanged { tenant });
                }
            }
            Err(error) => tracing::warn!(%error, "changed tenants could not be looked for"),
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// What was told already: the changes within the overlap, and the newest.
#[derive(Default)]
struct Seen {
    newest: Option<DateTime<Utc>>,
    told: HashMap<TenantId, DateTime<Utc>>,
}

impl Seen {
    /// Which of these are news.
    fn sift(&mut self, changes: Vec<(TenantId, DateTime<Utc>)>) -> Vec<TenantId> {
        let first_look = self.newest.is_none();
        self.newest = changes.iter().map(|(_, at)| *at).max().max(self.newest);
        let mut fresh = Vec::new();
        for (tenant, at) in changes {
            if self.told.insert(tenant, at) != Some(at) && !first_look {
                fresh.push(tenant);
            }
        }
        let since = self.since();
        self.told.retain(|_, at| Some(*at) > since);
        fresh
    }

    fn since(&self) -> Option<DateTime<Utc>> {
        self.newest.map(|newest| newest - OVERLAP)
    }
}

async fn look(pg: &Pg, seen: &mut Seen) -> Result<Vec<TenantId>, PgError> {
    let mut tx = pg.platform().await?;
    // The first look only learns where to begin: caches are still empty then.
    let changes = match seen.since() {
        Some(since) => store::list_changed(&mut tx, since).await?,
        None => store::list_newest(&mut tx).await?,
    };
    tx.commit().await?;
    Ok(seen.sift(changes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;

    #[test]
    fn each_change_is_told_once_and_late_commits_are_not_missed() {
        let at = |s: i64| Utc.timestamp_opt(1_790_000_000 + s, 0).unwrap();
        let (a, b) = (TenantId::generate(), TenantId::generate());
        let mut seen = Seen::default();
        assert!(seen.sift(vec![(a, at(0))]).is_empty());

        assert_eq!(seen.sift(vec![(a, at(0)), (b, at(10))]), [b]);
        assert!(seen.sift(vec![(a, at(0)), (b, at(10))]).is_empty());
        // Committed late, with a time before the newest.
        assert_eq!(seen.sift(vec![(a, at(5)), (b, at(10))]), [a]);
        assert_eq!(seen.since(), Some(at(-20)));
    }
}
