//! The consortium's certification authority (X.509, RFC 5280; Ed25519, RFC 8410). It makes three
//! kinds of statement: this is the coordinator's server, this is a site's node, and this key may
//! sign studies or receipts. From a site's request it takes the public key and nothing else:
//! names, usages and dates are the CA's own.
//!
//! From: `fedval init`, `fedval site approve`.
//! To: `listen` (its own certificate, the root to check nodes by), nodes.

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ED25519,
    PublicKeyData, SanType, SerialNumber,
};
use rustls::pki_types::{CertificateDer, CertificateSigningRequestDer};
use shared::fault::{Code, Fault};
use shared::identity::{
    CONSORTIUM_NAME_MAX, Digest, KeyCertificate, KeyPurpose, KeyStatement, PublicKey, Serial,
    SigningKey, enrolment_words,
};
use shared::study::{SiteSlug, Timestamp};
use shared::wire::Refusal;
use shared::wire::codec::CERTIFICATE_MAX;
use time::OffsetDateTime;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::files::{certificate_to_pem, rcgen_key};

/// Validity of a node's certificate, days; the node renews it at two thirds.
pub const NODE_CERTIFICATE_DAYS: i64 = 30;
/// Validity of the server's certificate, days; a new one is made at each start.
const SERVER_CERTIFICATE_DAYS: i64 = 90;
/// Validity of a study-signing or receipt key's certificate, days.
const KEY_CERTIFICATE_DAYS: i64 = 2 * 365;
/// Validity of the root, days.
const ROOT_DAYS: i64 = 10 * 365;
const DAY_SECONDS: i64 = 86_400;
/// Certificates start this much earlier, since clocks differ, seconds.
const BACKDATE_SECONDS: i64 = 300;
/// Longest common name of a subject (RFC 5280, appendix A.1), characters.
const COMMON_NAME_MAX: usize = 64;
/// What a node's certificate names: this, then the site's slug.
const SITE_URI: &str = "fedval://site/";

/// The consortium's CA with its key. No `Debug`.
pub struct ConsortiumCa {
    key: SigningKey,
    certificate: CertificateDer<'static>,
    consortium: String,
}

/// The coordinator's own certificate chain and key. No `Debug`.
#[derive(Clone)]
pub struct ServerIdentity {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: SigningKey,
}

/// A certificate issued to a node.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NodeCertificate {
    /// The certificate, DER.
    pub der: Vec<u8>,
    /// Its serial, which the roster keeps.
    pub serial: Serial,
    /// First moment of validity.
    pub not_before: Timestamp,
    /// Last moment of validity.
    pub not_after: Timestamp,
}

/// A certificate request whose signature holds; only its public key is ever used.
#[derive(Clone, Debug)]
pub struct CheckedCsr {
    raw: rcgen::PublicKey,
    public: PublicKey,
}

impl CheckedCsr {
    /// Reads a request, DER: PKCS#10 (RFC 2986), an Ed25519 key, its own valid signature.
    ///
    /// # Errors
    /// [`Refusal::UnknownForm`] for other bytes and keys, [`Refusal::BadSignature`] when the
    /// requester does not hold the key.
    pub fn open(der: &[u8]) -> Result<Self, Refusal> {
        if der.len() > CERTIFICATE_MAX {
            return Err(Refusal::UnknownForm);
        }
        let request = CertificateSigningRequestParams::from_der(
            &CertificateSigningRequestDer::from(der.to_vec()),
        )
        .map_err(|error| {
            if error == rcgen::Error::InvalidCertificationRequestSignature {
                Refusal::BadSignature
            } else {
                Refusal::UnknownForm
            }
        })?;
        let raw = request.public_key;
        if PublicKeyData::algorithm(&raw) != &PKCS_ED25519 {
            return Err(Refusal::UnknownForm);
        }
        let bytes = raw
            .der_bytes()
            .try_into()
            .map_err(|_| Refusal::UnknownForm)?;
        Ok(Self {
            public: PublicKey::from_bytes(bytes),
            raw,
        })
    }

    /// The site's public key.
    pub fn public(&self) -> PublicKey {
        self.public
    }

    /// The words that two people compare.
    pub fn words(&self) -> String {
        enrolment_words(&self.public)
    }
}

fn defect(error: &rcgen::Error) -> Fault {
    Fault::internal(format!("a certificate could not be made: {error}"))
}

fn moment(at: Timestamp) -> Result<OffsetDateTime, Fault> {
    OffsetDateTime::from_unix_timestamp(at.unix())
        .map_err(|error| Fault::internal(format!("a date could not be written: {error}")))
}

/// What every certificate of this CA has in common: the subject, the serial, the dates.
fn params(
    subject: &str,
    serial: Serial,
    not_before: Timestamp,
    not_after: Timestamp,
) -> Result<CertificateParams, Fault> {
    let mut params = CertificateParams::default();
    let mut name = DistinguishedName::new();
    let short: String = subject.chars().take(COMMON_NAME_MAX).collect();
    name.push(DnType::CommonName, short);
    params.distinguished_name = name;
    params.serial_number = Some(SerialNumber::from_slice(serial.as_bytes()));
    params.not_before = moment(not_before)?;
    params.not_after = moment(not_after)?;
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

impl ConsortiumCa {
    /// Makes the root certificate of a new consortium. `consortium` has 1 to 64 characters and
    /// at most 128 bytes, none of them a control character.
    ///
    /// # Errors
    /// [`Code::ConfigInvalid`] for another name.
    pub fn create(
        consortium: &str,
        key: SigningKey,
        serial: Serial,
        now: Timestamp,
    ) -> Result<Self, Fault> {
        let fits = (1..=COMMON_NAME_MAX).contains(&consortium.chars().count())
            && consortium.len() <= CONSORTIUM_NAME_MAX
            && !consortium.chars().any(char::is_control);
        if !fits {
            return Err(Fault::new(
                Code::ConfigInvalid,
                "the consortium's name cannot be used",
                "it stands in every certificate and must have 1 to 64 printable characters",
                "choose a shorter name",
            ));
        }
        let from = now.plus_seconds(-BACKDATE_SECONDS);
        let to = now.plus_seconds(ROOT_DAYS * DAY_SECONDS);
        let mut params = params(consortium, serial, from, to)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params
            .self_signed(&rcgen_key(&key)?)
            .map_err(|error| defect(&error))?;
        Ok(Self {
            key,
            certificate: certificate.into(),
            consortium: consortium.to_owned(),
        })
    }

    /// The CA of a key and its root certificate (DER), as they were kept.
    ///
    /// # Errors
    /// [`Code::NotInitialised`] when the two do not belong together.
    pub fn load(key: SigningKey, certificate: &[u8]) -> Result<Self, Fault> {
        let fault = || {
            Fault::new(
                Code::NotInitialised,
                "the consortium's CA cannot be used",
                "its certificate is damaged or belongs to another key",
                "restore both files of the CA from one backup",
            )
        };
        let (rest, parsed) = X509Certificate::from_der(certificate).map_err(|_| fault())?;
        let same_key = parsed.public_key().subject_public_key.data.as_ref()
            == key.public().as_bytes().as_slice();
        if !rest.is_empty() || !same_key || !parsed.is_ca() {
            return Err(fault());
        }
        let name = parsed.subject().iter_common_name().next();
        let consortium = name.and_then(|name| name.as_str().ok()).ok_or_else(fault)?;
        Ok(Self {
            key,
            consortium: consortium.to_owned(),
            certificate: CertificateDer::from(certificate.to_vec()),
        })
    }

    /// The root certificate, DER.
    pub fn certificate_der(&self) -> &[u8] {
        &self.certificate
    }

    /// The root certificate as PEM text.
    pub fn certificate_pem(&self) -> String {
        certificate_to_pem(&self.certificate)
    }

    /// SHA-256 of the root certificate: what an invitation carries.
    pub fn fingerprint(&self) -> Digest {
        Digest::of(&self.certificate)
    }

    /// The CA's public key, by which key certificates are checked.
    pub fn public(&self) -> PublicKey {
        self.key.public()
    }

    /// The consortium's name.
    pub fn consortium(&self) -> &str {
        &self.consortium
    }

    /// The CA's private key, to be kept by `write_private`.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    fn issuer(&self) -> Result<Issuer<'static, KeyPair>, Fault> {
        Issuer::from_ca_cert_der(&self.certificate, rcgen_key(&self.key)?)
            .map_err(|error| defect(&error))
    }

    /// Certifies a study-signing or receipt key for two years.
    ///
    /// # Errors
    /// [`Code::Internal`] when the statement has no canonical bytes.
    pub fn certify_key(
        &self,
        purpose: KeyPurpose,
        key: PublicKey,
        serial: Serial,
        now: Timestamp,
    ) -> Result<KeyCertificate, Fault> {
        let statement = KeyStatement {
            purpose,
            key,
            consortium: self.consortium.clone(),
            not_before: now,
            not_after: now.plus_seconds(KEY_CERTIFICATE_DAYS * DAY_SECONDS),
            serial,
        };
        KeyCertificate::issue(statement, &self.key)
            .map_err(|error| Fault::internal(format!("a key could not be certified: {error}")))
    }

    /// The coordinator's own certificate for the names and IP addresses under which nodes reach
    /// it. Valid for 90 days: made anew at each start, kept nowhere.
    ///
    /// # Errors
    /// [`Code::AddressInvalid`] when a host is no DNS name or IP address.
    pub fn server_identity(
        &self,
        hosts: &[String],
        key: SigningKey,
        serial: Serial,
        now: Timestamp,
    ) -> Result<ServerIdentity, Fault> {
        let from = now.plus_seconds(-BACKDATE_SECONDS);
        let to = now.plus_seconds(SERVER_CERTIFICATE_DAYS * DAY_SECONDS);
        let mut params = params("fedval coordinator", serial, from, to)?;
        params.subject_alt_names = CertificateParams::new(hosts)
            .map_err(|error| {
                Fault::new(
                    Code::AddressInvalid,
                    format!("no certificate can name {}", hosts.join(", ")),
                    error.to_string(),
                    "give the host name or IP address under which the sites reach this server",
                )
            })?
            .subject_alt_names;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params
            .signed_by(&rcgen_key(&key)?, &self.issuer()?)
            .map_err(|error| defect(&error))?;
        Ok(ServerIdentity {
            chain: vec![certificate.into(), self.certificate.clone()],
            key,
        })
    }

    /// A node's certificate for 30 days: the request's public key, our own everything else.
    ///
    /// # Errors
    /// [`Code::Internal`] when the certificate library fails.
    pub fn issue_node(
        &self,
        site: &SiteSlug,
        request: &CheckedCsr,
        serial: Serial,
        now: Timestamp,
    ) -> Result<NodeCertificate, Fault> {
        let from = now.plus_seconds(-BACKDATE_SECONDS);
        let to = now.plus_seconds(NODE_CERTIFICATE_DAYS * DAY_SECONDS);
        self.issue_node_between(site, request, serial, from, to)
    }

    /// As [`ConsortiumCa::issue_node`], with both dates given.
    ///
    /// # Errors
    /// [`Code::Internal`] when the certificate library fails.
    pub fn issue_node_between(
        &self,
        site: &SiteSlug,
        request: &CheckedCsr,
        serial: Serial,
        not_before: Timestamp,
        not_after: Timestamp,
    ) -> Result<NodeCertificate, Fault> {
        let mut params = params(site.as_str(), serial, not_before, not_after)?;
        let uri = format!("{SITE_URI}{site}")
            .try_into()
            .map_err(|error| defect(&error))?;
        params.subject_alt_names = vec![SanType::URI(uri)];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params
            .signed_by(&request.raw, &self.issuer()?)
            .map_err(|error| defect(&error))?;
        Ok(NodeCertificate {
            der: certificate.der().to_vec(),
            serial,
            not_before,
            not_after,
        })
    }
}

/// Whose a verified node certificate is.
pub(super) struct Named {
    pub(super) site: SiteSlug,
    pub(super) serial: Serial,
    pub(super) not_after: Timestamp,
}

/// Reads site, serial and end from a certificate that the TLS verifier has accepted; `None` for
/// any form but the one that [`ConsortiumCa::issue_node`] writes.
pub(super) fn name_of(certificate: &[u8]) -> Option<Named> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let names = parsed.subject_alternative_name().ok()??;
    let [GeneralName::URI(uri)] = names.value.general_names.as_slice() else {
        return None;
    };
    let serial: [u8; 16] = parsed.raw_serial().try_into().ok()?;
    Some(Named {
        site: uri.strip_prefix(SITE_URI)?.parse().ok()?,
        serial: Serial::from_bytes(serial),
        not_after: Timestamp::from_unix(parsed.validity().not_after.timestamp())?,
    })
}

#[cfg(test)]
#[path = "ca_tests.rs"]
mod tests;
