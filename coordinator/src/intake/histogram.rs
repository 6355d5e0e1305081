//! The score histogram against everything that follows from it: blocks cover the grid once, the
//! AUC and the mean prediction lie inside its bounds, and threshold tables agree at their edges.
//!
//! From: a received release.
//! To: findings.

use shared::disclosure::document::ReceivedRelease;
use shared::numeric::area_bounds::{ScoreBlock, area_bounds};
use shared::statistic::histogram::{Block, Histogram};
use shared::statistic::{Cell, Disclosed, EstimateKey, Metric, Statistic};
use shared::study::StudyProtocol;

use super::finding::{Finding, Span, shown, slack_of};
use super::keys::place;

/// Checks every histogram and what must agree with it.
pub(super) fn check(
    release: &ReceivedRelease,
    protocol: &StudyProtocol,
    findings: &mut Vec<Finding>,
) {
    let edges = &protocol.histogram.edges;
    for statistic in &release.statistics {
        let Statistic::Histogram(it) = statistic else {
            continue;
        };
        let at = place(statistic);
        let mut covered = true;
        for (class, blocks) in [("events", &it.events), ("non_events", &it.non_events)] {
            if !covers(blocks, edges.len()) {
                covered = false;
                findings.push(Finding::new(
                    "blocks",
                    format!("{at}: {class}"),
                    "the blocks do not cover the grid once, in order",
                ));
            }
        }
        if covered {
            auc_inside(it, release, findings);
            means_inside(it, release, edges, findings);
            tables_agree(it, release, edges, findings);
        }
    }
}

/// Blocks are ascending, contiguous, from bin 0 to the last. A class without cases may have none.
fn covers(blocks: &[Block<Disclosed>], last: usize) -> bool {
    let mut next = 0_u64;
    for block in blocks {
        if u64::from(block.first) != next || block.last < block.first {
            return false;
        }
        next = u64::from(block.last) + 1;
    }
    usize::try_from(next).is_ok_and(|next| next == last + 1)
}

/// Total of a class, when every block has a count.
fn total(blocks: &[Block<Disclosed>]) -> Option<Span> {
    Span::sum(blocks.iter().map(|block| &block.count))
}

fn auc_inside(it: &Histogram<Disclosed>, release: &ReceivedRelease, findings: &mut Vec<Finding>) {
    let known = |blocks: &[Block<Disclosed>]| -> Option<Vec<ScoreBlock>> {
        blocks.iter().map(Block::score_block).collect()
    };
    let classes = known(&it.events).zip(known(&it.non_events));
    let Some(region) = classes.and_then(|(events, rest)| area_bounds(&events, &rest)) else {
        return;
    };
    let slack = slack_of(&release.header.policy.profile);
    let possible = Span {
        lo: region.lower,
        hi: region.upper,
    };
    for statistic in &release.statistics {
        let Statistic::Auc(auc) = statistic else {
            continue;
        };
        let same = auc.model == it.model && auc.endpoint == it.endpoint;
        if let Some(value) = Span::real(&auc.auc, slack).filter(|_| same)
            && value.excludes(possible)
        {
            findings.push(Finding::new(
                "auc-in-histogram",
                place(statistic),
                format!("the histogram allows {} only", shown(possible)),
            ));
        }
    }
}

/// Predictions of a block lie in `[from, to]`.
fn predictions(block: &Block<Disclosed>, edges: &[f64]) -> (f64, f64) {
    let edge = |bin: u32| {
        usize::try_from(bin)
            .ok()
            .and_then(|bin| edges.get(bin).copied())
    };
    let from = block.first.checked_sub(1).and_then(edge).unwrap_or(0.0);
    (from, edge(block.last).unwrap_or(1.0))
}

/// The sum over cases of a loss that lies between `low` and `high` within a block.
fn summed(
    blocks: &[Block<Disclosed>],
    edges: &[f64],
    loss: impl Fn(f64, f64) -> (f64, f64),
) -> Option<Span> {
    blocks.iter().try_fold(Span::ZERO, |sum, block| {
        let count = Span::count(&block.count)?;
        let (from, to) = predictions(block, edges);
        let (low, high) = loss(from, to);
        Some(sum.plus(Span {
            lo: count.lo * low,
            hi: count.hi * high,
        }))
    })
}

fn means_inside(
    it: &Histogram<Disclosed>,
    release: &ReceivedRelease,
    edges: &[f64],
    findings: &mut Vec<Finding>,
) {
    let slack = slack_of(&release.header.policy.profile);
    let (Some(events), Some(rest)) = (total(&it.events), total(&it.non_events)) else {
        return;
    };
    let cases = events.plus(rest);
    let score = EstimateKey::whole(Metric::Brier, it.model.clone(), it.endpoint.clone());
    for statistic in &release.statistics {
        let (cell, sum) = match statistic {
            Statistic::ObservedExpected(oe)
                if oe.model == it.model && oe.endpoint == it.endpoint =>
            {
                let same = |from: f64, to: f64| (from, to);
                let classes = (
                    summed(&it.events, edges, same),
                    summed(&it.non_events, edges, same),
                );
                (&oe.mean_prediction, classes)
            }
            Statistic::Estimate(brier) if brier.key == score => {
                let missed =
                    |from: f64, to: f64| ((1.0 - to) * (1.0 - to), (1.0 - from) * (1.0 - from));
                let alarm = |from: f64, to: f64| (from * from, to * to);
                let classes = (
                    summed(&it.events, edges, missed),
                    summed(&it.non_events, edges, alarm),
                );
                (&brier.value, classes)
            }
            Statistic::Flow(_)
            | Statistic::Segmentation(_)
            | Statistic::Lesions(_)
            | Statistic::Detection(_)
            | Statistic::Characteristics(_)
            | Statistic::Confusion(_)
            | Statistic::Auc(_)
            | Statistic::PairedAuc(_)
            | Statistic::Histogram(_)
            | Statistic::ObservedExpected(_)
            | Statistic::Estimate(_)
            | Statistic::CalibrationBins(_)
            | Statistic::SubgroupTable(_)
            | Statistic::Permutation(_)
            | Statistic::Contingency(_)
            | Statistic::Discordance(_)
            | Statistic::Missing(_)
            | Statistic::CalibrationBlock(_) => continue,
        };
        let (Some(a), Some(b)) = sum else {
            continue;
        };
        mean_fits(cell, a.plus(b), cases, slack, &place(statistic), findings);
    }
}

fn mean_fits(
    cell: &Cell<f64>,
    sum: Span,
    cases: Span,
    slack: f64,
    at: &str,
    findings: &mut Vec<Finding>,
) {
    if cases.lo <= 0.0 {
        return;
    }
    let possible = Span {
        lo: sum.lo / cases.hi,
        hi: sum.hi / cases.lo,
    };
    if let Some(value) = Span::real(cell, slack)
        && value.excludes(possible)
    {
        findings.push(Finding::new(
            "mean-in-histogram",
            at,
            format!("the histogram allows {} only", shown(possible)),
        ));
    }
}

/// Cases at or above the edge `index`: certain ones, and possible ones from straddling blocks.
fn above(blocks: &[Block<Disclosed>], index: usize) -> Option<Span> {
    blocks.iter().try_fold(Span::ZERO, |sum, block| {
        let count = Span::count(&block.count)?;
        let first = usize::try_from(block.first).ok()?;
        let last = usize::try_from(block.last).ok()?;
        let part = if first > index {
            count
        } else if last > index {
            Span {
                lo: 0.0,
                hi: count.hi,
            }
        } else {
            Span::ZERO
        };
        Some(sum.plus(part))
    })
}

fn tables_agree(
    it: &Histogram<Disclosed>,
    release: &ReceivedRelease,
    edges: &[f64],
    findings: &mut Vec<Finding>,
) {
    for statistic in &release.statistics {
        let Statistic::Confusion(table) = statistic else {
            continue;
        };
        if table.model != it.model || table.endpoint != it.endpoint {
            continue;
        }
        let edge = edges
            .iter()
            .position(|edge| edge.to_bits() == table.threshold.to_bits());
        let Some(index) = edge else {
            continue;
        };
        let pairs = [
            ("true_positive", &table.true_positive, &it.events),
            ("false_positive", &table.false_positive, &it.non_events),
        ];
        for (name, cell, blocks) in pairs {
            if let (Some(count), Some(possible)) = (Span::count(cell), above(blocks, index))
                && count.excludes(possible)
            {
                findings.push(Finding::new(
                    "table-in-histogram",
                    format!("{}: {name}", place(statistic)),
                    format!("the histogram allows {} only", shown(possible)),
                ));
            }
        }
    }
}
