//! Tells this node about tenants that changed (or were restored) elsewhere: another node, or the operator's command, a process of its own.
//!
//! R9: a suspension reaches sockets within a second, so the poll is twice as fast.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::store::{self, Change};
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
            Ok(fresh) => fresh.into_iter().for_each(|news| pg.bus().publish(news)),
            Err(error) => tracing::warn!(%error, "changed tenants could not be looked for"),
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// What was told already: the changes within the overlap, and the newest.
#[derive(Default)]
struct Seen {
    newest: Option<DateTime<Utc>>,
    told: HashMap<TenantId, Change>,
}

impl Seen {
    /// What of these is news.
    fn sift(&mut self, changes: Vec<Change>) -> Vec<News> {
        let before = self.since();
        self.newest = changes.iter().map(|change| change.updated_at).max().max(self.newest);
        let mut fresh = Vec::new();
        for change in changes {
            let tenant = change.tenant;
            let known = self.told.insert(tenant, change.clone());
            let Some(before) = before else { continue };
            // Not its time alone: the steps of one provisioning share it.
            if known.as_ref() != Some(&change) {
                fresh.push(News::TenantChanged { tenant });
            }
            // A tenant keeps the time of its last restoration: one from long ago comes again with every other change.
            if change.restored_at > Some(before) && known.is_none_or(|known| known.restored_at != change.restored_at) {
                fresh.push(News::HistoryCut { tenant });
            }
        }
        let since = self.since();
        self.told.retain(|_, change| Some(change.updated_at) > since);
        fresh
    }

    fn since(&self) -> Option<DateTime<Utc>> {
        self.newest.map(|newest| newest - OVERLAP)
    }
}

async fn look(pg: &Pg, seen: &mut Seen) -> Result<Vec<News>, PgError> {
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

    fn at(s: i64) -> DateTime<Utc> {
        Utc.timestamp_opt(1_790_000_000 + s, 0).unwrap()
    }

    fn changed(tenant: TenantId, s: i64) -> Change {
        Change { tenant, state: "active".into(), updated_at: at(s), restored_at: None }
    }

    fn told(news: &[News]) -> Vec<(TenantId, bool)> {
        news.iter()
            .map(|news| match news {
                News::TenantChanged { tenant } => (*tenant, false),
                News::HistoryCut { tenant } => (*tenant, true),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn each_change_is_told_once_and_late_commits_are_not_missed() {
        let (a, b) = (TenantId::generate(), TenantId::generate());
        let mut seen = Seen::default();
        assert!(seen.sift(vec![changed(a, 0)]).is_empty());

        assert_eq!(told(&seen.sift(vec![changed(a, 0), changed(b, 10)])), [(b, false)]);
        assert!(seen.sift(vec![changed(a, 0), changed(b, 10)]).is_empty());
        // Committed late, with a time before the newest.
        assert_eq!(told(&seen.sift(vec![changed(a, 5), changed(b, 10)])), [(a, false)]);
        assert_eq!(seen.since(), Some(at(-20)));
    }

    #[test]
    fn steps_of_one_moment_are_told_each() {
        let a = TenantId::generate();
        let mut seen = Seen::default();
        seen.sift(vec![changed(TenantId::generate(), 0)]);
        let begun = Change { state: "provisioning".into(), ..changed(a, 10) };
        assert_eq!(told(&seen.sift(vec![begun])), [(a, false)]);
        assert_eq!(told(&seen.sift(vec![changed(a, 10)])), [(a, false)]);
        assert!(seen.sift(vec![changed(a, 10)]).is_empty());
    }

    #[test]
    fn a_restoration_is_told_once_and_not_again_with_later_changes() {
        let a = TenantId::generate();
        let restored = |updated, restored| Change { restored_at: Some(at(restored)), ..changed(a, updated) };
        let mut seen = Seen::default();
        // What was restored before this node looked is what it has read.
        assert!(seen.sift(vec![restored(0, 0)]).is_empty());
        assert_eq!(told(&seen.sift(vec![restored(50, 50)])), [(a, false), (a, true)]);
        assert!(seen.sift(vec![restored(50, 50)]).is_empty());
        assert_eq!(told(&seen.sift(vec![restored(60, 50)])), [(a, false)]);
        assert_eq!(told(&seen.sift(vec![restored(200, 50)])), [(a, false)]);
        assert_eq!(told(&seen.sift(vec![restored(210, 210)])), [(a, false), (a, true)]);
    }
}
