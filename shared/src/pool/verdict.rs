//! The answer to the protocol's question against its acceptance bound (decision C6).
//!
//! From: the primary analysis.
//! To: `study`.

use super::result::{Analysis, AnalysisRole, Answer, Verdict};
use crate::study::{Estimand, StudyProtocol};

/// Below this many sites no prediction interval is held against a bound (decision C5).
const PREDICTION_SITES: usize = 5;

/// The verdict.
pub(super) fn of(protocol: &StudyProtocol, analyses: &[Analysis]) -> Verdict {
    let acceptance = protocol.analysis.primary.acceptance;
    let primary = analyses
        .iter()
        .find(|analysis| analysis.role == AnalysisRole::Primary);
    let usable = primary.map_or(0, |analysis| {
        analysis
            .sites
            .iter()
            .filter(|row| row.excluded.is_none() && row.vi.is_some())
            .count()
    });
    let pool = primary.and_then(|analysis| analysis.pool.pooled());
    let interval = pool.and_then(|pool| match acceptance.estimand {
        Estimand::Mean => Some([pool.low, pool.high]),
        Estimand::NextSite => pool.prediction.filter(|_| pool.k >= PREDICTION_SITES),
    });
    let answer = match interval {
        None => Answer::NotAnswered,
        Some([low, _]) if low >= acceptance.at_least => Answer::Met,
        Some([_, high]) if high < acceptance.at_least => Answer::Refuted,
        Some(_) => Answer::Inconclusive,
    };
    Verdict {
        answer,
        sites: usable,
        at_least: acceptance.at_least,
        interval,
    }
}
