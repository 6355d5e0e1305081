//! The protocol's names against the table's: which local column holds which declared field.
//!
//! From: `source` (the site's mapping), the header of the table.
//! To: the readers (columns to keep), `value` (where each field is).

use std::collections::BTreeMap;

use shared::fault::{Code, Fault};
use shared::study::{Field, FieldKind, FieldName, ModelRole, StudyProtocol};

use super::raw::quote;
use super::source::TableSource;
use crate::suggestion::did_you_mean;

/// Which columns are read, and what they mean.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Selection {
    /// Positions in the header, ascending, each once.
    pub(crate) column: Vec<usize>,
    /// By declared field, index into `column`; `None` for identifiers and absent fields.
    pub(crate) field: Vec<Option<usize>>,
    /// By declared field, for files whose paths follow a pattern: its pieces.
    pub(crate) pattern: Vec<Option<Vec<Piece>>>,
    /// Index into `column` of the case's key.
    pub(crate) key: usize,
    /// Index into `column` of the patient's key.
    pub(crate) cluster: usize,
}

/// A piece of a pattern of paths.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Piece {
    /// As it is.
    Text(String),
    /// The cell of a column, by its index into `Selection::column`.
    Cell(usize),
}

/// Chooses columns from a header.
pub(crate) type Select<'a> = dyn Fn(&[String]) -> Result<Selection, Vec<Fault>> + 'a;

/// Checks the mapping against the protocol, before any table is opened.
///
/// # Errors
/// `FV-DATA-019` for names the protocol does not declare; `FV-CONF-002` for codes and
/// transforms that do not fit the field, and for necessary fields declared absent.
pub(crate) fn check(study: &StudyProtocol, source: &TableSource) -> Result<(), Vec<Fault>> {
    let mut faults = Vec::new();
    let parts = [
        ("map", source.map.keys().collect::<Vec<_>>()),
        ("table", source.absent.iter().collect()),
        ("codes", source.codes.keys().collect()),
        ("transform", source.transform.keys().collect()),
    ];
    for (part, names) in parts {
        for name in names {
            if study.find_field(name).is_none() {
                faults.push(undeclared(study, source, part, name));
            }
        }
    }
    for field in &study.field {
        faults.extend(codes_fault(field, source));
        faults.extend(transform_fault(field, source));
        if source.absent.contains(&field.name) {
            faults.extend(absence_fault(study, field, source));
        }
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(faults)
    }
}

fn undeclared(study: &StudyProtocol, source: &TableSource, part: &str, name: &FieldName) -> Fault {
    let known = || study.field.iter().map(|field| field.name.as_str());
    Fault::new(
        Code::FieldUnknown,
        format!(
            "the protocol of {} declares no field \"{name}\"{}",
            study.slug,
            did_you_mean(name.as_str(), known())
        ),
        format!("declared are: {}", known().collect::<Vec<_>>().join(", ")),
        format!("mend the name in {}", source.origin.place(part)),
    )
}

fn codes_fault(field: &Field, source: &TableSource) -> Option<Fault> {
    let codes = source.codes.get(&field.name)?;
    let place = source.origin.place("codes");
    let wrong = |what: String, why: &str| {
        Some(Fault::new(
            Code::ConfigInvalid,
            what,
            why,
            format!("mend {place}"),
        ))
    };
    let levels: Vec<&str> = match field.kind {
        FieldKind::Binary => vec!["1", "0"],
        FieldKind::Category => field.levels.iter().map(String::as_str).collect(),
        FieldKind::Identifier
        | FieldKind::Probability
        | FieldKind::Integer
        | FieldKind::Number
        | FieldKind::Mask
        | FieldKind::Image
        | FieldKind::Places => {
            return wrong(
                format!("codes are given for \"{}\"", field.name),
                "only categories and binary fields have codes",
            );
        }
    };
    let mut owner: BTreeMap<&str, &str> = BTreeMap::new();
    for (level, locals) in codes {
        if !levels.contains(&level.as_str()) {
            return wrong(
                format!(
                    "\"{}\" has no level {}{}",
                    field.name,
                    quote(level),
                    did_you_mean(level, levels.iter().copied())
                ),
                &format!("the protocol's levels are: {}", levels.join(", ")),
            );
        }
        for local in locals {
            if let Some(other) = owner.insert(local.trim(), level) {
                return wrong(
                    format!("code {} of \"{}\" stands twice", quote(local), field.name),
                    &format!("it cannot mean both {} and {}", quote(other), quote(level)),
                );
            }
        }
    }
    None
}

fn transform_fault(field: &Field, source: &TableSource) -> Option<Fault> {
    let declared = source.transform.contains_key(&field.name);
    (declared && field.kind != FieldKind::Probability).then(|| {
        Fault::new(
            Code::ConfigInvalid,
            format!("a transform is given for \"{}\"", field.name),
            "only fields the protocol declares as probabilities have one",
            format!("remove it from {}", source.origin.place("transform")),
        )
    })
}

fn absence_fault(study: &StudyProtocol, field: &Field, source: &TableSource) -> Option<Fault> {
    let role = if field.kind == FieldKind::Identifier {
        "an identifier"
    } else if study.endpoint.iter().any(|one| one.field == field.name) {
        "an outcome"
    } else if study
        .model
        .iter()
        .any(|one| one.field.as_ref() == Some(&field.name) && one.role == ModelRole::Index)
    {
        "the prediction under validation"
    } else {
        return None;
    };
    Some(Fault::new(
        Code::ConfigInvalid,
        format!("\"{}\" is said not to be recorded", field.name),
        format!("it is {role}; nothing can be validated without it"),
        format!("map it to a column in {}", source.origin.place("map")),
    ))
}

/// Finds every column the study needs in `header`.
///
/// # Errors
/// `FV-DATA-003`, `FV-DATA-004`, `FV-DATA-005`; all of them at once.
pub(crate) fn select(
    study: &StudyProtocol,
    source: &TableSource,
    header: &[String],
) -> Result<Selection, Vec<Fault>> {
    let mut finder = Finder {
        study,
        source,
        header,
        faults: Vec::new(),
    };
    finder.no_duplicates();
    let cluster = finder.cluster();
    let key = finder.key(cluster);
    let field: Vec<Option<usize>> = study
        .field
        .iter()
        .map(|field| finder.field(field))
        .collect();
    let pattern: Vec<Option<Vec<Piece>>> = study
        .field
        .iter()
        .map(|field| finder.pattern(field))
        .collect();
    finder.outcomes_are_not_scores(&field);
    let (Some(cluster), Some(key), true) = (cluster, key, finder.faults.is_empty()) else {
        return Err(finder.faults);
    };
    let mut column: Vec<usize> = field.iter().flatten().copied().collect();
    column.extend([cluster, key]);
    for piece in pattern.iter().flatten().flatten() {
        if let Piece::Cell(position) = piece {
            column.push(*position);
        }
    }
    column.sort_unstable();
    column.dedup();
    let kept = |position: usize| column.binary_search(&position).unwrap_or_default();
    Ok(Selection {
        field: field.into_iter().map(|found| found.map(kept)).collect(),
        pattern: pattern
            .into_iter()
            .map(|pieces| Some(pieces?.into_iter().map(|piece| piece.kept(kept)).collect()))
            .collect(),
        key: kept(key),
        cluster: kept(cluster),
        column,
    })
}

impl Piece {
    fn kept(self, kept: impl Fn(usize) -> usize) -> Self {
        match self {
            Self::Text(text) => Self::Text(text),
            Self::Cell(position) => Self::Cell(kept(position)),
        }
    }
}

struct Finder<'a> {
    study: &'a StudyProtocol,
    source: &'a TableSource,
    header: &'a [String],
    faults: Vec<Fault>,
}

impl Finder<'_> {
    fn no_duplicates(&mut self) {
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for name in self.header.iter().filter(|name| !name.is_empty()) {
            *seen.entry(name).or_default() += 1;
        }
        for (name, count) in seen.into_iter().filter(|(_, count)| *count > 1) {
            self.faults.push(Fault::new(
                Code::ColumnDuplicate,
                format!("column {} stands {count} times in the header", quote(name)),
                "it cannot be known which one is meant",
                "rename or remove one of them in the export",
            ));
        }
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|column| column == name)
    }

    /// The position of a column the site named for `what`.
    fn named(&mut self, name: &str, what: &str, part: &str) -> Option<usize> {
        let found = self.position(name);
        if found.is_none() {
            let columns = || self.header.iter().map(String::as_str);
            let shown: Vec<_> = columns().take(20).map(quote).collect();
            let more = if self.header.len() > 20 { ", ..." } else { "" };
            self.faults.push(Fault::new(
                Code::ColumnMissing,
                format!(
                    "there is no column {} for {what}{}",
                    quote(name),
                    did_you_mean(name, columns())
                ),
                format!("the table's columns are: {}{more}", shown.join(", ")),
                format!("mend the name in {}", self.source.origin.place(part)),
            ));
        }
        found
    }

    fn unmapped(&mut self, what: &str, name: &str, fix: String) {
        let columns = || self.header.iter().map(String::as_str);
        self.faults.push(Fault::new(
            Code::FieldUnmapped,
            format!("no column is known for {what}"),
            format!(
                "it is not mapped, and no column is called \"{name}\"{}",
                did_you_mean(name, columns())
            ),
            fix,
        ));
    }

    /// Whether the site's mapping is a pattern of paths, such as `masks/{patient}.nii.gz`.
    fn has_pattern(&self, field: &Field) -> bool {
        let name = self.source.map.get(&field.name);
        field.kind.is_path() && name.is_some_and(|name| name.contains('{'))
    }

    fn pattern_of(&self, name: &FieldName) -> Option<&String> {
        let text = self.source.map.get(name)?;
        text.contains('{').then_some(text)
    }

    fn pattern(&mut self, field: &Field) -> Option<Vec<Piece>> {
        let text = self.source.map.get(&field.name)?.clone();
        if !self.has_pattern(field) {
            return None;
        }
        let mut pieces = Vec::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            let Some((name, end)) = after.split_once('}') else {
                self.faults.push(Fault::new(
                    Code::ConfigInvalid,
                    format!("the pattern of \"{}\" has no end", field.name),
                    format!("a brace opens in {} and does not close", quote(&text)),
                    "write the column's name between braces: masks/{patient}.nii.gz",
                ));
                return None;
            };
            pieces.push(Piece::Text(before.to_owned()));
            pieces.push(Piece::Cell(self.named(
                name,
                &format!("\"{}\"", field.name),
                "map",
            )?));
            rest = end;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Some(pieces)
    }

    fn field(&mut self, field: &Field) -> Option<usize> {
        let elsewhere = field.tag.is_some() || self.has_pattern(field);
        if elsewhere
            || field.kind == FieldKind::Identifier
            || self.source.absent.contains(&field.name)
        {
            return None;
        }
        let what = format!("\"{}\"", field.name);
        if let Some(name) = self.source.map.get(&field.name) {
            return self.named(name, &what, "map");
        }
        let own = self.position(field.name.as_str());
        if own.is_none() {
            let fix = format!(
                "name its column in {}; if this site does not record it, say so with absent = [\"{}\"] in {} (or --map {}=)",
                self.source.origin.place("map"),
                field.name,
                self.source.origin.place("table"),
                field.name
            );
            self.unmapped(&what, field.name.as_str(), fix);
        }
        own
    }

    /// One row is one patient by the protocol.
    fn by_patient(&self) -> bool {
        self.study.eligibility.unit == "patient"
    }

    fn cluster(&mut self) -> Option<usize> {
        let field = &self.study.eligibility.cluster;
        if let Some(name) = &self.source.cluster {
            return self.named(name, "the patient", "table");
        }
        if let Some(name) = self.source.map.get(field) {
            return self.named(name, "the patient", "map");
        }
        if let Some(own) = self.position(field.as_str()) {
            return Some(own);
        }
        match &self.source.key {
            Some(name) if self.by_patient() => self.named(name, "the patient", "table"),
            Some(_) | None => {
                let fix = format!(
                    "name the patient's column: cluster = \"...\" in {}, or --map {field}=column",
                    self.source.origin.place("table")
                );
                self.unmapped("the patient", field.as_str(), fix);
                None
            }
        }
    }

    fn key(&mut self, cluster: Option<usize>) -> Option<usize> {
        if let Some(name) = &self.source.key {
            return self.named(name, "the case's key", "table");
        }
        let cluster_field = &self.study.eligibility.cluster;
        let others =
            self.study.field.iter().filter(|field| {
                field.kind == FieldKind::Identifier && field.name != *cluster_field
            });
        for field in others {
            if let Some(name) = self.source.map.get(&field.name) {
                return self.named(name, "the case's key", "map");
            }
            if let Some(own) = self.position(field.name.as_str()) {
                return Some(own);
            }
        }
        if self.by_patient() {
            return cluster;
        }
        let fix = format!(
            "name the case's column: key = \"...\" in {}",
            self.source.origin.place("table")
        );
        self.unmapped("the case's key", "key", fix);
        None
    }

    /// A prediction read from the outcome's own column would validate perfectly.
    fn outcomes_are_not_scores(&mut self, found: &[Option<usize>]) {
        let of = |name: &FieldName| {
            let index = self.study.field.iter().position(|one| one.name == *name)?;
            found.get(index).copied().flatten()
        };
        let mut faults = Vec::new();
        for endpoint in &self.study.endpoint {
            for model in &self.study.model {
                let Some(field) = &model.field else { continue };
                let (one, two) = (self.pattern_of(&endpoint.field), self.pattern_of(field));
                if one.is_some() && one == two {
                    faults.push(Fault::new(
                        Code::ConfigInvalid,
                        format!("\"{}\" and \"{field}\" are the same files", endpoint.field),
                        "a model would be compared with its own masks",
                        format!("mend {}", self.source.origin.place("map")),
                    ));
                }
                let column = of(field).filter(|column| of(&endpoint.field) == Some(*column));
                if let Some(name) = column.and_then(|column| self.header.get(column)) {
                    faults.push(Fault::new(
                        Code::ConfigInvalid,
                        format!(
                            "\"{}\" and \"{}\" are both read from column {}",
                            endpoint.field,
                            field,
                            quote(name)
                        ),
                        "a model would be compared with its own prediction",
                        format!("mend {}", self.source.origin.place("map")),
                    ));
                }
            }
        }
        self.faults.append(&mut faults);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cohort::fixture;

    fn header(text: &str) -> Vec<String> {
        text.split(',').map(str::to_owned).collect()
    }

    fn codes(result: Result<Selection, Vec<Fault>>) -> Vec<Code> {
        let faults = result.err().unwrap_or_default();
        faults.into_iter().map(|fault| fault.code).collect()
    }

    #[test]
    fn columns_are_kept_once_and_in_file_order() {
        let (study, mut source) = (fixture::study(), TableSource::new("t"));
        for argument in ["patient=mrn", "age=years", "ca="] {
            source.map_argument(argument).unwrap();
        }
        let header = header("x,p_b,p_a,y,sex,years,mrn,ca");
        let found = select(&study, &source, &header).unwrap();
        assert_eq!(found.column, [1, 2, 3, 4, 5, 6]);
        assert_eq!(
            found.field,
            [None, Some(4), Some(3), None, Some(2), Some(1), Some(0)]
        );
        assert_eq!((found.cluster, found.key), (5, 5));
    }

    #[test]
    fn the_key_serves_as_patient_only_when_the_unit_is_the_patient() {
        let (mut study, mut source) = (fixture::study(), TableSource::new("t"));
        source.key = Some("case".to_owned());
        let header = header("case,age,sex,ca,y,p_a,p_b");
        assert!(select(&study, &source, &header).is_ok());
        study.eligibility.unit = "lesion".to_owned();
        assert_eq!(
            codes(select(&study, &source, &header)),
            [Code::FieldUnmapped]
        );
        source.cluster = Some("Case".to_owned());
        assert_eq!(
            codes(select(&study, &source, &header)),
            [Code::ColumnMissing]
        );
    }

    #[test]
    fn codes_and_transforms_must_fit_their_field() {
        let study = fixture::study();
        let coded = |field: &str, level: &str, locals: &[&str]| {
            let mut source = TableSource::new("t");
            let locals = locals.iter().map(|local| (*local).to_owned()).collect();
            let levels = [(level.to_owned(), locals)];
            source.codes.insert(field.parse().unwrap(), levels.into());
            check(&study, &source).err().map(|faults| faults[0].code)
        };
        assert_eq!(coded("sex", "male", &["M", "m"]), None);
        assert_eq!(coded("y", "1", &["yes"]), None);
        assert_eq!(coded("sex", "men", &["M"]), Some(Code::ConfigInvalid));
        assert_eq!(coded("y", "yes", &["1"]), Some(Code::ConfigInvalid));
        assert_eq!(
            coded("sex", "male", &["M", "M "]),
            Some(Code::ConfigInvalid)
        );
        assert_eq!(coded("age", "1", &["x"]), Some(Code::ConfigInvalid));
        assert_eq!(coded("gender", "male", &["M"]), Some(Code::FieldUnknown));

        let mut source = TableSource::new("t");
        let age = "age".parse().unwrap();
        source
            .transform
            .insert(age, crate::cohort::Transform::Logistic);
        assert_eq!(
            check(&study, &source).unwrap_err()[0].code,
            Code::ConfigInvalid
        );
    }
}
