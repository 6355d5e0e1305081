//! What approving a job covers beyond the bytes that are shown: its declared exchanges of several
//! steps. Each step is checked and kept in the ledger when it comes.
//!
//! From: the job, its protocol, this site's configuration.
//! To: the preview, as text and as a page.

use shared::study::job::Exchange;
use shared::study::masked::{EXCHANGE, HOSPITALS_MIN, Layout};
use shared::study::{SiteRole, StudyProtocol};

use crate::config::NodeConfig;

/// One exchange of several steps, in words.
#[derive(Clone, Debug)]
pub struct Further {
    /// The exchange.
    pub exchange: Exchange,
    /// What is said in its steps.
    pub text: String,
    /// What the coordinator can infer, a sentence.
    pub inference: String,
}

impl Further {
    /// What `exchange` of a job under `protocol` means at this site.
    pub fn of(exchange: Exchange, protocol: &StudyProtocol, config: &NodeConfig) -> Self {
        if exchange.id.as_str() == EXCHANGE {
            return sums(exchange, protocol, config);
        }
        Self {
            text: format!(
                "what follows, approved together with this\n  exchange {}: at most {} steps, \
                 without another question\n  each step: per model and endpoint the cases, the \
                 events, and at two places log-likelihood,\n  score (2 numbers) and information \
                 (3 numbers); the places follow from the protocol's start and\n  the sums of all \
                 hospitals; nothing under the profile standard",
                exchange.id, exchange.max_steps
            ),
            inference: format!(
                " Approving covers up to {} further steps, each with sums over the same patients.",
                exchange.max_steps
            ),
            exchange,
        }
    }
}

fn sums(exchange: Exchange, protocol: &StudyProtocol, config: &NodeConfig) -> Further {
    let layout = Layout::of(protocol);
    let slug = &protocol.slug;
    let section = config.study.get(slug).and_then(|study| study.masked_sums);
    let Some(section) = section else {
        return Further {
            text: format!(
                "masked sums are asked for\n  exchange {}: this site adds nothing, since \
                 [study.{slug}.masked_sums] is not in its configuration",
                exchange.id
            ),
            inference: " This site adds nothing to the masked sums that the study asks for."
                .to_owned(),
            exchange,
        };
    };
    let external = protocol.site.iter();
    let external = external
        .filter(|site| site.role == SiteRole::External && site.slug != config.site.slug)
        .map(|site| &site.slug);
    let (listed, strange): (Vec<_>, Vec<_>) =
        external.partition(|site| config.peers.contains_key(*site));
    let names = |sites: Vec<&shared::study::SiteSlug>| {
        let names: Vec<&str> = sites.iter().map(|site| site.as_str()).collect();
        if names.is_empty() {
            "nobody".to_owned()
        } else {
            names.join(", ")
        }
    };
    Further {
        text: format!(
            "what follows, approved together with this\n  exchange {}: {} numbers, masked: {} score \
             histograms of {} bins by outcome, with the sum of\n  scores of each bin, and {} tables of \
             two scores crossed; they are added to those of the other\n  hospitals, and the \
             coordinator reads the sum over {} or more, never this hospital's part\n  the plain numbers stay here for {} days, for \
             audit; the masked ones and the roster stand in the ledger\n  hospitals whose key is \
             confirmed here: {}\n  not confirmed: {}; with one of them in the roster this site \
             adds nothing",
            exchange.id,
            layout.length(),
            layout.parts().len(),
            layout.bins(),
            layout.pairs().len(),
            HOSPITALS_MIN - 1,
            section.keep_days,
            names(listed),
            names(strange)
        ),
        inference: format!(
            " Approving covers the masked sums: of {} further numbers it learns the sums over the \
             hospitals that stay to the end, at least two thirds of the roster, and of this \
             hospital's nothing more, unless more than a third of the hospitals side with it.",
            layout.length()
        ),
        exchange,
    }
}

#[cfg(test)]
mod tests {
    use shared::study::job::Job;
    use shared::study::{MaskedSums, Timestamp, source, validate};

    use super::*;

    fn protocol() -> StudyProtocol {
        let text = include_str!("../../../configs/examples/heart/study.toml");
        let text = text.replace("role = \"development\"", "role = \"external\"");
        let mut protocol = source::parse(&text).unwrap();
        protocol.masked_sums = Some(MaskedSums { phase_seconds: 60 });
        validate::expand(&protocol)
    }

    fn told(protocol: &StudyProtocol, more: &str) -> Further {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("node.toml");
        let text = format!("config_version = 1\n[site]\nslug = \"va\"\n{more}");
        std::fs::write(&file, text).unwrap();
        let config = NodeConfig::load(&file).unwrap();
        let job = Job::measure(
            protocol,
            shared::identity::Digest::of(b"protocol"),
            "heart-disease.r1".parse().unwrap(),
            "va".parse().unwrap(),
            Timestamp::from_unix(1_800_000_000).unwrap(),
            "measure".parse().unwrap(),
        );
        let exchange = job.in_steps().next().unwrap().clone();
        Further::of(exchange, protocol, &config)
    }

    #[test]
    fn the_preview_says_how_much_is_added_and_with_whom() {
        let protocol = protocol();
        let nothing = told(&protocol, "");
        assert!(
            nothing.text.contains("this site adds nothing"),
            "{}",
            nothing.text
        );
        assert!(nothing.inference.contains("adds nothing"));
        let key = shared::identity::PublicKey::from_bytes([7; 32]);
        let more = format!(
            "[study.heart-disease.masked_sums]\nkeep_days = 9\n[peers]\nhungarian = \"{key}\"\n"
        );
        let told = told(&protocol, &more);
        let numbers = Layout::of(&protocol).length();
        assert!(
            told.text.contains(&format!("{numbers} numbers, masked")),
            "{}",
            told.text
        );
        assert!(told.text.contains("stay here for 9 days"));
        assert!(
            told.text.contains("confirmed here: hungarian\n"),
            "{}",
            told.text
        );
        assert!(told.text.contains("not confirmed: cleveland, switzerland"));
        assert!(told.inference.contains("of this hospital's nothing more"));
    }
}
