//! Glossary: what the terms mean that this report uses.
//!
//! From: the text of the other pages.
//! To: `document::Section`.

use super::super::document::{Block, Section};

/// A term, how it may be written in the text, and its meaning.
type Entry = (&'static str, &'static [&'static str], &'static str);

/// All terms, in the order of the alphabet.
const TERMS: [Entry; 48] = [
    (
        "AUC",
        &["auc"],
        "probability that a random patient with the event is scored above a random one without it, of the same hospital; 0.5 is chance, 1 is perfect",
    ),
    (
        "Average precision",
        &["average precision"],
        "area under the precision-recall curve; it rises with the event rate",
    ),
    (
        "Bivariate model",
        &["bivariate"],
        "model of sensitivity and specificity together, with their correlation between hospitals",
    ),
    (
        "Brier score",
        &["brier"],
        "mean squared difference of prediction and outcome; lower is better",
    ),
    (
        "Calibration in the large",
        &["calibration in the large"],
        "whether the predictions are too high or too low on the whole; 0 fits",
    ),
    (
        "Calibration slope",
        &["slope"],
        "whether the predictions are spread as they should be; 1 fits, below 1 they are too extreme",
    ),
    (
        "Case mix",
        &["case mix"],
        "how much the patients of a hospital differ from each other; where they differ less, an AUC is lower for the same model",
    ),
    (
        "Comparator",
        &["comparator"],
        "the other prediction that the model is held against on the same cases",
    ),
    (
        "Confidence interval",
        &["confidence interval", "95% ci"],
        "range of values compatible with the data, at the stated level",
    ),
    (
        "Confounded with site",
        &["confounded with site"],
        "the levels of an axis go with the hospitals, so that comparing them compares hospitals",
    ),
    (
        "Cook's distance",
        &["cook's distance"],
        "how far a hospital moves the mean, squared and in units of its variance",
    ),
    (
        "Cramér's V",
        &["cramér"],
        "strength of association in a contingency table, from 0 to 1",
    ),
    (
        "Decision curve",
        &["decision curve"],
        "net benefit over a range of thresholds",
    ),
    (
        "DFFITS",
        &["dffits"],
        "how many standard errors the mean moves when a hospital is left out",
    ),
    (
        "Dice",
        &["dice"],
        "overlap of two outlines: twice the shared volume over the sum of both; 1 is perfect",
    ),
    (
        "Event",
        &["event"],
        "a case in which the endpoint is present",
    ),
    (
        "Exploratory",
        &["exploratory"],
        "not declared in the protocol before the data were seen",
    ),
    (
        "External hospital",
        &["external hospital"],
        "a hospital whose data no model in this report has seen",
    ),
    (
        "FROC curve",
        &["froc"],
        "share of lesions found against false positives per scan",
    ),
    (
        "Gap",
        &["gap"],
        "result at one level of an axis minus the result of the rest of the same hospital",
    ),
    (
        "HD95",
        &["hd95"],
        "distance of two outlines: the 95th percentile of the distances between their borders, in mm",
    ),
    (
        "Heterogeneity",
        &["heterogeneity"],
        "true differences between hospitals, beyond chance",
    ),
    (
        "HKSJ",
        &["hksj", "hartung"],
        "the interval of a mean over hospitals after Hartung, Knapp, Sidik and Jonkman; guarded: it may widen the interval and never narrow it",
    ),
    (
        "Holm",
        &["holm"],
        "adjustment of p values for the number of tests",
    ),
    (
        "I²",
        &["i²"],
        "share of the variation between estimates that is not chance",
    ),
    (
        "Interaction",
        &["interaction"],
        "a result that differs between the levels of an axis within hospitals",
    ),
    (
        "Level",
        &["level"],
        "one value of an axis, such as an age band",
    ),
    (
        "Masked sum",
        &["masked sum"],
        "a sum over hospitals of which nobody can read a single hospital's part",
    ),
    (
        "Merged patients",
        &["merged"],
        "patients of all external hospitals taken as one sample; comparisons between hospitals enter it",
    ),
    (
        "Net benefit",
        &["net benefit"],
        "treated patients with the event minus needless treatments, weighed as the threshold implies, per patient",
    ),
    (
        "O:E",
        &["o:e"],
        "observed events over the sum of predicted probabilities; 1 is perfect in the large",
    ),
    (
        "Operating point",
        &["operating point"],
        "sensitivity and specificity at a threshold fixed before the data were seen",
    ),
    (
        "Pool",
        &["pool"],
        "random-effects combination of hospitals with a measure of their spread",
    ),
    (
        "PPV and NPV",
        &["ppv", "npv"],
        "share of positives with the event, and of negatives without it; both depend on the event rate",
    ),
    (
        "Precision and recall",
        &["precision", "recall"],
        "other names of PPV and sensitivity",
    ),
    (
        "Prediction interval",
        &["prediction interval"],
        "range for the true value at a further, exchangeable hospital",
    ),
    (
        "Prespecified",
        &["prespecified"],
        "written in the protocol before the data were seen",
    ),
    (
        "Q",
        &["q (df)", "cochran"],
        "Cochran's test of whether hospitals differ more than chance explains",
    ),
    (
        "Random-effects mean",
        &["random-effects"],
        "mean over hospitals that takes their true values to differ",
    ),
    (
        "Reference standard",
        &["reference standard"],
        "how it was determined whether a case has the event",
    ),
    (
        "REML",
        &["reml", "restricted maximum likelihood"],
        "estimator of the variance between hospitals",
    ),
    (
        "ROC curve",
        &["roc curve"],
        "sensitivity against the false positive rate over all thresholds",
    ),
    (
        "Sensitivity and specificity",
        &["sensitivity", "specificity"],
        "share of events called positive, and of the others called negative",
    ),
    (
        "Sensitivity analysis",
        &["sensitivity analys"],
        "the same question under another assumption",
    ),
    (
        "Surface Dice",
        &["surface dice"],
        "share of two outlines' borders that lie within a tolerance of each other",
    ),
    (
        "Suppressed",
        &["suppressed", "withheld"],
        "hidden by the hospital's disclosure rules because few patients stand behind it",
    ),
    (
        "Threshold",
        &["threshold"],
        "the prediction from which on a case is called positive",
    ),
    (
        "τ²",
        &["τ²"],
        "variance of true values between hospitals, on the pooling scale",
    ),
];

/// The page, with the terms that stand in `text`.
pub(super) fn page(text: &str) -> Section {
    let text = text.to_lowercase();
    let used = TERMS
        .iter()
        .filter(|(_, written, _)| written.iter().any(|one| text.contains(one)))
        .map(|(term, _, meaning)| ((*term).to_owned(), (*meaning).to_owned()));
    Section {
        id: "glossary",
        title: "Glossary",
        blocks: vec![Block::Terms(used.collect())],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_terms_that_are_used_are_explained() {
        let found = |text: &str| -> Vec<String> {
            let Block::Terms(terms) = &page(text).blocks[0] else {
                panic!("the page has terms")
            };
            terms.iter().map(|(term, _)| term.clone()).collect()
        };
        assert_eq!(found("Nothing to see."), Vec::<String>::new());
        assert_eq!(found("The AUC and its I²."), ["AUC", "I²"]);
        let written: Vec<&str> = TERMS.iter().map(|(_, written, _)| written[0]).collect();
        assert_eq!(found(&written.join(" ")).len(), TERMS.len());
        assert!(TERMS.iter().all(|(_, written, meaning)| {
            written.iter().all(|one| one.to_lowercase() == **one) && !meaning.is_empty()
        }));
    }
}
