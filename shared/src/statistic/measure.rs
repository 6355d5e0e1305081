//! Everything a job asks for, in the order of a release: the one list where a statistic is
//! registered.
//!
//! From: `node::measure` (cases), `study::plan` (kinds).
//! To: `disclosure::review`.

use super::auc::{Areas, Auc};
use super::calibration_bins::CalibrationBins;
use super::characteristics::Characteristics;
use super::confusion::Confusion;
use super::contingency::Contingency;
use super::discordance::Discordance;
use super::flow::Flow;
use super::histogram::Histogram;
use super::missing::Missing;
use super::observed_expected::ObservedExpected;
use super::paired_auc::PairedAuc;
use super::permutation::Permutation;
use super::subgroup::SubgroupTable;
use super::{
    AnalysisSet, Cases, Exact, Statistic, accuracy, brier, calibration, case_mix, detection,
    discrimination, lesion, net_benefit, reclassification, segmentation, sensitivity,
};
use crate::statistic::segmentation::MaskSet;
use crate::study::plan::StatisticKind;
use crate::study::{ModelRole, StudyProtocol};

/// The exact statistics of `kinds`, for every endpoint of the protocol. The protocol must be
/// expanded (`study::validate::expand`), so that the histogram's edges are numbers.
pub fn measure(
    protocol: &StudyProtocol,
    cases: &Cases,
    kinds: &[StatisticKind],
) -> Vec<Statistic<Exact>> {
    let mut statistics = Vec::new();
    for endpoint in 0..protocol.endpoint.len() {
        let Some(set) = AnalysisSet::of(protocol, cases, endpoint) else {
            continue;
        };
        let areas = Areas::of(&set);
        for kind in kinds {
            let one = Planned {
                protocol,
                cases,
                endpoint,
                set: &set,
                areas: &areas,
            };
            statistics.extend(one.measure(*kind));
        }
    }
    statistics
}

struct Planned<'a> {
    protocol: &'a StudyProtocol,
    cases: &'a Cases,
    endpoint: usize,
    set: &'a AnalysisSet<'a>,
    areas: &'a Areas,
}

impl Planned<'_> {
    fn measure(&self, kind: StatisticKind) -> Vec<Statistic<Exact>> {
        let set = self.set;
        let models = 0..self.protocol.model.len();
        match kind {
            StatisticKind::Flow => {
                let flow = Flow::measure(set, self.cases, self.endpoint);
                vec![Statistic::Flow(flow)]
            }
            StatisticKind::Characteristics => {
                vec![Statistic::Characteristics(Characteristics::measure(
                    set, self.cases,
                ))]
            }
            StatisticKind::Confusion => self.confusion(),
            StatisticKind::Auc => models
                .filter_map(|model| Auc::measure(set, self.areas, model))
                .map(Statistic::Auc)
                .collect(),
            StatisticKind::PairedAuc => self.paired(),
            StatisticKind::Histogram => models
                .filter_map(|model| Histogram::measure(set, model))
                .map(Statistic::Histogram)
                .collect(),
            StatisticKind::ObservedExpected => models
                .filter_map(|model| ObservedExpected::measure(set, self.areas, model))
                .map(Statistic::ObservedExpected)
                .collect(),
            StatisticKind::Brier => models
                .filter_map(|model| brier::measure(set, self.areas, model))
                .flatten()
                .map(Statistic::Estimate)
                .collect(),
            StatisticKind::Calibration => self.calibration(),
            StatisticKind::CalibrationBins => models
                .filter_map(|model| CalibrationBins::measure(set, model))
                .map(Statistic::CalibrationBins)
                .collect(),
            StatisticKind::Discrimination => models
                .filter_map(|model| discrimination::measure(set, self.areas, model))
                .flatten()
                .map(Statistic::Estimate)
                .collect(),
            StatisticKind::NetBenefit => self.net_benefit(),
            StatisticKind::Discordance => self.discordance(),
            StatisticKind::Reclassification => self.reclassification(),
            StatisticKind::Subgroup => self.subgroups(),
            StatisticKind::Contingency => self.tables(),
            StatisticKind::Permutation => models
                .filter_map(|model| Permutation::measure(set, self.areas, model))
                .map(Statistic::Permutation)
                .collect(),
            StatisticKind::Segmentation => self.masks(),
            StatisticKind::Lesions => self.lesions(),
            StatisticKind::Detection => self.detection(),
            // Measured in exchanges of their own: `calibration_block::measure`, `masked_sums`.
            StatisticKind::CalibrationBlock | StatisticKind::MaskedSums => Vec::new(),
            StatisticKind::CaseMix => models
                .filter_map(|model| case_mix::measure(set, self.areas, model))
                .flatten()
                .map(Statistic::Estimate)
                .collect(),
            StatisticKind::Missing => models
                .filter_map(|model| {
                    Missing::measure(self.protocol, self.cases, self.endpoint, model)
                })
                .map(Statistic::Missing)
                .collect(),
            StatisticKind::Sensitivity => self.sensitivity(),
        }
    }

    /// The prespecified sensitivity analyses.
    fn sensitivity(&self) -> Vec<Statistic<Exact>> {
        let (protocol, cases) = (self.protocol, self.cases);
        let found = sensitivity::measure(protocol, cases, self.endpoint, self.set).into_iter();
        found.map(Statistic::Estimate).collect()
    }

    /// The 2x2 tables, and after each the estimates that follow from it.
    fn confusion(&self) -> Vec<Statistic<Exact>> {
        let mut statistics = Vec::new();
        for model in 0..self.protocol.model.len() {
            for threshold in self.thresholds(model) {
                let table = Confusion::measure(self.set, model, threshold);
                statistics.extend(table.map(Statistic::Confusion));
                let estimates = accuracy::measure(self.set, self.areas, model, threshold);
                let estimates = estimates.unwrap_or_default().into_iter();
                statistics.extend(estimates.map(Statistic::Estimate));
            }
        }
        statistics
    }

    fn thresholds(&self, model: usize) -> Vec<f64> {
        self.protocol
            .model
            .get(model)
            .map_or_else(Vec::new, |model| {
                self.protocol.thresholds(&model.id, &self.set.endpoint)
            })
    }

    fn index_model(&self) -> Option<usize> {
        self.protocol
            .model
            .iter()
            .position(|model| model.role == ModelRole::Index)
    }

    /// The index model with each comparator, by their places in the protocol.
    fn pairs(&self) -> Vec<(usize, usize)> {
        let Some(index) = self.index_model() else {
            return Vec::new();
        };
        let comparators = self.protocol.model.iter().enumerate();
        comparators
            .filter(|(_, model)| model.role == ModelRole::Comparator)
            .map(|(place, _)| (index, place))
            .collect()
    }

    fn paired(&self) -> Vec<Statistic<Exact>> {
        let pairs = self.pairs().into_iter();
        pairs
            .filter_map(|(index, place)| PairedAuc::measure(self.set, self.areas, index, place))
            .map(Statistic::PairedAuc)
            .collect()
    }

    fn calibration(&self) -> Vec<Statistic<Exact>> {
        let models = 0..self.protocol.model.len();
        let whole = models.flat_map(|model| calibration::measure(self.set, self.areas, model));
        let levels = self.index_model().into_iter().flat_map(|model| {
            let axes = 0..self.protocol.subgroup.len();
            axes.flat_map(move |axis| calibration::by_level(self.set, model, axis))
        });
        whole.chain(levels).map(Statistic::Estimate).collect()
    }

    fn net_benefit(&self) -> Vec<Statistic<Exact>> {
        let models = 0..self.protocol.model.len();
        let each = models.flat_map(|model| net_benefit::measure(self.set, self.areas, model));
        let pairs = self.pairs().into_iter();
        let differences =
            pairs.flat_map(|(index, place)| net_benefit::differences(self.set, index, place));
        each.chain(differences).map(Statistic::Estimate).collect()
    }

    fn discordance(&self) -> Vec<Statistic<Exact>> {
        let mut found = Vec::new();
        for (index, place) in self.pairs() {
            for (table, estimates) in Discordance::measure(self.set, index, place) {
                found.push(Statistic::Discordance(table));
                found.extend(estimates.map(Statistic::Estimate));
            }
        }
        found
    }

    fn reclassification(&self) -> Vec<Statistic<Exact>> {
        let pairs = self.pairs().into_iter();
        pairs
            .flat_map(|(index, place)| {
                reclassification::measure(self.set, self.areas, index, place)
            })
            .map(Statistic::Estimate)
            .collect()
    }

    fn subgroups(&self) -> Vec<Statistic<Exact>> {
        let Some(index) = self.index_model() else {
            return Vec::new();
        };
        let Some(threshold) = self.thresholds(index).first().copied() else {
            return Vec::new();
        };
        (0..self.protocol.subgroup.len())
            .filter_map(|axis| SubgroupTable::measure(self.set, index, axis, threshold))
            .map(Statistic::SubgroupTable)
            .collect()
    }

    /// The masks of every model, and of the index model against each comparator.
    fn masks(&self) -> Vec<Statistic<Exact>> {
        let Some(masks) = MaskSet::of(self.set, self.cases, self.endpoint) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for model in 0..self.protocol.model.len() {
            let counts = segmentation::measure(&masks, model);
            found.extend(counts.map(Statistic::Segmentation));
            let means = segmentation::estimates(&masks, model).into_iter();
            found.extend(means.map(Statistic::Estimate));
        }
        for (index, place) in self.pairs() {
            let difference = segmentation::differences(&masks, index, place);
            found.extend(difference.map(Statistic::Estimate));
        }
        found
    }

    fn lesions(&self) -> Vec<Statistic<Exact>> {
        let Some(masks) = MaskSet::of(self.set, self.cases, self.endpoint) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for model in 0..self.protocol.model.len() {
            found.extend(lesion::measure(&masks, model).map(Statistic::Lesions));
            let ratios = lesion::estimates(&masks, model).into_iter();
            found.extend(ratios.map(Statistic::Estimate));
        }
        found
    }

    fn detection(&self) -> Vec<Statistic<Exact>> {
        let Some(masks) = MaskSet::of(self.set, self.cases, self.endpoint) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for model in 0..self.protocol.model.len() {
            let Some((counts, estimates)) = detection::measure(&masks, model) else {
                continue;
            };
            found.push(Statistic::Detection(counts));
            found.extend(estimates.into_iter().map(Statistic::Estimate));
        }
        found
    }

    fn tables(&self) -> Vec<Statistic<Exact>> {
        let mut tables = Vec::new();
        let index = self.index_model();
        let first = index.and_then(|index| self.thresholds(index).first().copied());
        for axis in 0..self.protocol.subgroup.len() {
            tables.extend(Contingency::outcome(self.set, axis));
            if let (Some(model), Some(threshold)) = (index, first) {
                tables.extend(Contingency::errors(self.set, axis, model, threshold));
            }
        }
        tables.into_iter().map(Statistic::Contingency).collect()
    }
}
