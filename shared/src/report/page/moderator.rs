//! The regression over hospitals: what goes with better or worse results, from ten on.
//!
//! From: `pool::moderator`.
//! To: page "discrimination".

use super::super::document::{Block, Row, Table};
use super::super::number::{Shown, Style, p_value, real};
use super::super::view::View;
use super::super::words;
use crate::pool::moderator::{ModeratorAnalysis, ModeratorOutcome, Regression};

/// One table for each analysis that the protocol regresses on its moderators.
pub(super) fn blocks(view: View<'_>) -> Vec<Block> {
    let found = &view.study.moderators;
    if found.is_empty() {
        return Vec::new();
    }
    let mut blocks = vec![Block::Heading("Hospitals' properties".to_owned())];
    blocks.extend(found.iter().map(|one| block(view, one)));
    blocks
}

fn block(view: View<'_>, one: &ModeratorAnalysis) -> Block {
    let name = words::metric(one.key.metric);
    match &one.outcome {
        ModeratorOutcome::Fitted(fit) => Block::Table(table(view, name, one, fit)),
        ModeratorOutcome::TooFewSites { sites, minimum } => Block::Text(format!(
            "{name} was not regressed on the declared properties of hospitals: {} have an \
             estimate, and a regression needs {minimum}; fewer fit any line.",
            words::plural(*sites, "external hospital", "external hospitals")
        )),
        ModeratorOutcome::Collinear => Block::Text(format!(
            "{name} was not regressed on the declared properties of hospitals: a property does \
             not differ between them, or follows from the others."
        )),
        ModeratorOutcome::Failed => Block::Text(format!(
            "{name} was not regressed on the declared properties of hospitals: the estimator \
             found no maximum."
        )),
    }
}

fn table(view: View<'_>, name: &str, one: &ModeratorAnalysis, fit: &Regression) -> Table {
    let scale = one.scale.words();
    let mut table = Table::new(
        format!(
            "{name} ({scale} scale) by properties of {} hospitals",
            fit.k
        ),
        &[
            "Property",
            "Change per unit (95% CI)",
            "Standard error",
            "p",
        ],
    );
    let labels = std::iter::once("Intercept".to_owned()).chain(one.moderators.iter().map(|id| {
        let declared = view.study.protocol.pooling.moderator.iter();
        let mut declared = declared.filter(|moderator| moderator.id == *id);
        declared
            .next()
            .map_or_else(|| id.clone(), |one| one.label.clone())
    }));
    for (label, coefficient) in labels.zip(&fit.coefficients) {
        let style = Style::Signed(4);
        let shown = Shown::number(real(coefficient.estimate, style));
        let shown = match coefficient.interval {
            Some([low, high]) => shown.with(format!(
                "({})",
                super::super::number::range(low, high, style)
            )),
            None => shown.with("no interval"),
        };
        table.push(Row::new(
            label,
            vec![
                shown,
                Shown::number(real(coefficient.se, Style::Plain(4))),
                coefficient
                    .p
                    .map_or_else(Shown::none, |p| Shown::number(p_value(p))),
            ],
        ));
    }
    let share = fit.r2.map_or_else(
        || "there was no variance between hospitals to begin with".to_owned(),
        |r2| format!("{r2:.0}% of the variance between hospitals goes with them"),
    );
    table.notes.push(format!(
        "All properties together: {} = {}, p {}; {share}; τ² left {}, without them {}; Q of what \
         is left {} on {} degrees of freedom, p {}.",
        fit.moderators_df2.map_or_else(
            || format!("χ²({})", fit.moderators_df1),
            |df2| format!("F({}, {df2})", fit.moderators_df1)
        ),
        real(fit.moderators_statistic, Style::Plain(2)),
        p_value(fit.moderators_p),
        real(fit.tau2, Style::Plain(4)),
        real(fit.tau2_without, Style::Plain(4)),
        real(fit.residual_q, Style::Plain(2)),
        fit.residual_df,
        p_value(fit.residual_p),
    ));
    table.notes.push(
        "A property of a hospital is not one of its patients: what goes with it between hospitals \
         need not hold within one."
            .to_owned(),
    );
    table
}
