//! A model written down: a logistic formula on declared columns, such as a clinical nomogram.
//!
//! The protocol holds it whole, so the lock signs it, and its digest stands where another
//! model's file digest stands. A node computes its predictions from rows; the site needs no
//! column for them. A case without one of the inputs has no prediction: nothing is imputed.
//!
//! From: `protocol` (`[model.formula]`).
//! To: `validate`, `node::cohort` (predictions), the node's preview and the report (its words).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Field, FieldKind, FieldName};
use crate::identity::{CanonicalError, Digest, to_canonical};
use crate::numeric::distribution::inverse_logit;
use crate::numeric::sum::sum_iter;

/// Most terms of a formula.
pub const TERMS_MAX: usize = 64;

/// `link(risk) = intercept + sum of terms`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Formula {
    /// The constant on the scale of the link.
    pub intercept: f64,
    /// What turns the sum into a risk.
    pub link: Link,
    /// What is added to the constant, at least one.
    pub terms: Vec<FormulaTerm>,
}

/// Links of a formula.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Link {
    /// `risk = 1 / (1 + exp(-sum))`.
    Logit,
}

/// One term: `coefficient * (value / scale)^power` of a number, `coefficient` where a binary
/// field is 1 or a category is at a level.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FormulaTerm {
    /// The declared field: a number, a binary field or a category.
    pub field: FieldName,
    /// What the value is multiplied by; finite.
    pub coefficient: f64,
    /// Of a category: the level at which the coefficient is added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// Of a number: what it is divided by first; 1 if absent, above 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<f64>,
    /// Of a number: its exponent after scaling; 1 if absent, and 0 means the natural logarithm,
    /// as in fractional polynomials (Royston and Altman 1994, doi:10.2307/2986270).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power: Option<f64>,
}

impl FormulaTerm {
    /// What a number adds to the sum; `None` where the power does not exist.
    pub fn of_number(&self, value: f64) -> Option<f64> {
        let scaled = value / self.scale.unwrap_or(1.0);
        let raised = match self.power {
            None => scaled,
            Some(1.0) => scaled,
            Some(0.0) => libm::log(scaled),
            Some(power) => libm::pow(scaled, power),
        };
        Some(self.coefficient * raised).filter(|added| added.is_finite())
    }

    /// What a category adds to the sum when it is at this level.
    pub fn of_level(&self, is_level: bool) -> f64 {
        if is_level { self.coefficient } else { 0.0 }
    }

    /// Whether the term exists for positive numbers only.
    pub fn needs_positive(&self) -> bool {
        self.power
            .is_some_and(|power| power <= 0.0 || power.fract() != 0.0)
    }

    fn words(&self) -> String {
        let field = &self.field;
        let mut what = match (&self.level, self.scale) {
            (Some(level), _) => format!("[{field} is {level}]"),
            (None, Some(scale)) => format!("({field} / {scale})"),
            (None, None) => field.to_string(),
        };
        match self.power {
            None => {}
            Some(1.0) => {}
            Some(0.0) => what = format!("ln {what}"),
            Some(power) => what = format!("{what}^{power}"),
        }
        let sign = if self.coefficient < 0.0 { "-" } else { "+" };
        format!(" {sign} {} {what}", self.coefficient.abs())
    }
}

impl Formula {
    /// The risk from what each term adds, in the terms' order; `None` if a term has no value.
    pub fn risk(&self, added: impl IntoIterator<Item = Option<f64>>) -> Option<f64> {
        let mut all = vec![self.intercept];
        for part in added {
            all.push(part?);
        }
        let sum = sum_iter(all);
        match self.link {
            Link::Logit => inverse_logit(sum).filter(|_| sum.is_finite()),
        }
    }

    /// The digest of the formula's canonical JSON: 64 hex digits, as for a model file.
    ///
    /// # Errors
    /// [`CanonicalError`] if a number is not finite.
    pub fn sha256(&self) -> Result<String, CanonicalError> {
        let text = Digest::of(&to_canonical(self)?).to_string();
        Ok(text.trim_start_matches("sha256:").to_owned())
    }

    /// The formula on one line: `logit(risk) = -3 + 0.5 (age / 10) + 1.2 [sex is male]`.
    pub fn words(&self) -> String {
        let link = match self.link {
            Link::Logit => "logit",
        };
        let terms: String = self.terms.iter().map(FormulaTerm::words).collect();
        format!("{link}(risk) = {}{terms}", self.intercept)
    }

    /// What is wrong with it, given the declared fields: a place, what, and how to mend it.
    pub fn problems(&self, fields: &[Field]) -> Vec<(String, String, String)> {
        let mut found = Vec::new();
        let mut add = |place: &str, what: &str, fix: &str| {
            found.push((place.to_owned(), what.to_owned(), fix.to_owned()));
        };
        if !self.intercept.is_finite() {
            add("intercept", "it is not a finite number", "write a number");
        }
        if self.terms.is_empty() || self.terms.len() > TERMS_MAX {
            add(
                "terms",
                "there is none, or more than 64",
                "write 1 to 64 terms",
            );
        }
        for (index, term) in self.terms.iter().enumerate() {
            let place = format!("terms[{index}]");
            for (what, fix) in term.problems(fields) {
                add(&place, &what, &fix);
            }
            if self
                .terms
                .iter()
                .take(index)
                .any(|other| other.same_value(term))
            {
                add(
                    &place,
                    "a term before it has the same value",
                    "add the coefficients up",
                );
            }
        }
        found
    }
}

impl FormulaTerm {
    fn same_value(&self, other: &Self) -> bool {
        self.field == other.field
            && self.level == other.level
            && self.scale.unwrap_or(1.0) == other.scale.unwrap_or(1.0)
            && self.power.unwrap_or(1.0) == other.power.unwrap_or(1.0)
    }

    fn problems(&self, fields: &[Field]) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut unless = |holds: bool, what: &str, fix: &str| {
            if !holds {
                found.push((what.to_owned(), fix.to_owned()));
            }
        };
        let positive = |number: f64| number.is_finite() && number > 0.0;
        unless(
            self.coefficient.is_finite()
                && self.scale.is_none_or(positive)
                && self.power.is_none_or(f64::is_finite),
            "coefficient or power is not a finite number, or scale is not above 0",
            "write numbers; leave scale and power out where they are 1",
        );
        let Some(field) = fields.iter().find(|field| field.name == self.field) else {
            unless(
                false,
                &format!("\"{}\" is not declared", self.field),
                "declare it as [[field]]",
            );
            return found;
        };
        let shaped = self.scale.is_some() || self.power.is_some();
        match field.kind {
            FieldKind::Category => unless(
                !shaped
                    && self
                        .level
                        .as_ref()
                        .is_some_and(|level| field.levels.contains(level)),
                "a category's term needs one of its declared levels, and no scale or power",
                "write one term for each level but the reference, level = \"...\"",
            ),
            FieldKind::Binary => unless(
                !shaped && self.level.is_none(),
                "a binary field has no level, scale or power",
                "leave them out: the coefficient is added where the field is 1",
            ),
            FieldKind::Integer | FieldKind::Number => {
                unless(
                    self.level.is_none(),
                    "a number has no levels",
                    "remove level, or declare the field as a category",
                );
                let above_0 = field.range.is_some_and(|[low, _]| low > 0.0);
                unless(
                    above_0 || !self.needs_positive(),
                    "this power exists for positive numbers only, and the field may be 0 or less",
                    "declare the field's range with a lower end above 0, or use another power",
                );
            }
            FieldKind::Identifier
            | FieldKind::Probability
            | FieldKind::Mask
            | FieldKind::Image
            | FieldKind::Places => unless(
                false,
                "the field is neither a number, nor binary, nor a category",
                "use declared clinical columns, not keys or predictions",
            ),
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, kind: FieldKind) -> Field {
        Field {
            name: name.parse().unwrap(),
            kind,
            required: false,
            unit: None,
            levels: if kind == FieldKind::Category {
                vec!["female".to_owned(), "male".to_owned()]
            } else {
                Vec::new()
            },
            range: Some([0.0, 120.0]),
            tag: None,
            bands: Vec::new(),
        }
    }

    fn fields() -> Vec<Field> {
        vec![
            field("age", FieldKind::Integer),
            field("sex", FieldKind::Category),
            field("pain", FieldKind::Binary),
            field("p", FieldKind::Probability),
        ]
    }

    fn formula(terms: &str) -> Formula {
        let text = format!("intercept = -3.0\nlink = \"logit\"\nterms = [{terms}]");
        toml::from_str(&text).unwrap()
    }

    const AGE: &str = r#"{ field = "age", coefficient = 0.5, scale = 10 }"#;
    const MALE: &str = r#"{ field = "sex", level = "male", coefficient = -1.25 }"#;

    #[test]
    fn a_risk_by_hand() {
        let nomogram = formula(&format!("{AGE}, {MALE}"));
        assert_eq!(nomogram.problems(&fields()), []);
        let added = |age: f64, male: bool| {
            [
                nomogram.terms[0].of_number(age),
                Some(nomogram.terms[1].of_level(male)),
            ]
        };
        let risk = nomogram.risk(added(60.0, true)).unwrap();
        assert!((risk - 1.0 / (1.0 + libm::exp(1.25))).abs() < 1e-15);
        assert_eq!(nomogram.risk(added(60.0, false)), Some(0.5));
        assert_eq!(nomogram.risk([None, Some(0.0)]), None);
        assert_eq!(
            nomogram.words(),
            "logit(risk) = -3 + 0.5 (age / 10) - 1.25 [sex is male]"
        );
    }

    #[test]
    fn powers_follow_fractional_polynomials() {
        let term = |power: &str| {
            let text =
                format!("{{ field = \"age\", coefficient = 2.0, scale = 4, power = {power} }}");
            formula(&text).terms[0].clone()
        };
        assert_eq!(term("2").of_number(8.0), Some(8.0));
        assert_eq!(term("-1").of_number(8.0), Some(1.0));
        assert_eq!(term("0").of_number(4.0), Some(0.0));
        assert_eq!(term("0").of_number(0.0), None);
        assert_eq!(term("-2").of_number(0.0), None);
        assert!(term("0.5").needs_positive() && term("0").needs_positive());
        assert!(!term("3").needs_positive());
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let wrong = [
            r#"{ field = "weight", coefficient = 1 }"#,
            r#"{ field = "age", coefficient = nan }"#,
            r#"{ field = "age", coefficient = 1, level = "old" }"#,
            r#"{ field = "age", coefficient = 1, power = 0 }"#,
            r#"{ field = "age", coefficient = 1, scale = 0 }"#,
            r#"{ field = "sex", coefficient = 1 }"#,
            r#"{ field = "sex", coefficient = 1, level = "other" }"#,
            r#"{ field = "pain", coefficient = 1, scale = 2 }"#,
            r#"{ field = "p", coefficient = 1 }"#,
            "",
        ];
        for terms in wrong {
            assert_eq!(formula(terms).problems(&fields()).len(), 1, "{terms}");
        }
        let twice = formula(&format!("{AGE}, {AGE}"));
        assert_eq!(twice.problems(&fields()).len(), 1);
    }

    #[test]
    fn the_digest_follows_the_content_and_not_the_spelling() {
        let one = formula(AGE);
        let spelled = formula(r#"{ coefficient = 0.50, scale = 1e1, field = "age" }"#);
        assert_eq!(one.sha256().unwrap(), spelled.sha256().unwrap());
        assert_eq!(one.sha256().unwrap().len(), 64);
        let mut other = one.clone();
        other.intercept = -3.000_000_1;
        assert_ne!(one.sha256().unwrap(), other.sha256().unwrap());
    }
}
