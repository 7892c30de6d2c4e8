//! TLS to the brokers, and the login. The settings are librdkafka's:
//! <https://github.com/confluentinc/librdkafka/blob/v2.12.1/CONFIGURATION.md>

use rdkafka::ClientConfig;
use serde::{Deserialize, Deserializer, Serialize, de::Error};

use crate::config::Secret;

/// Whether this build has TLS for Kafka: librdkafka supports only OpenSSL, which would double the time of the first build.
const TLS: bool = cfg!(feature = "kafka-tls");
const MISSING: &str = "not in this build, which has no TLS for Kafka: the image has it, and a build with `--features kafka-tls`";

/// TLS to the brokers.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Tls {
    /// Whether the brokers speak TLS. Needs a build with the feature `kafka-tls`.
    #[serde(deserialize_with = "available")]
    pub enabled: bool,
    /// The certificate authorities to trust, PEM, most easily as `ca_file`; those of this machine if empty.
    pub ca: String,
    /// This client's certificate, PEM, as `certificate_file`, for brokers that ask for one.
    pub certificate: String,
    /// The certificate's private key, PEM, as `key_file`.
    pub key: Secret,
}

/// The login to the brokers.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Sasl {
    /// `none`, `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`; the latter two need a build with the feature `kafka-tls`.
    #[serde(deserialize_with = "known")]
    pub mechanism: Mechanism,
    /// The user's name.
    pub username: String,
    /// The user's password, as `password_file` if it is in a file.
    pub password: Secret,
}

/// How the client authenticates to the brokers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mechanism {
    /// It does not log in.
    #[default]
    #[serde(rename = "none")]
    None,
    /// It sends the password as it is: use this over TLS only.
    #[serde(rename = "PLAIN")]
    Plain,
    /// It proves that it knows the password, without sending it.
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    /// It proves that it knows the password, without sending it.
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
}

impl Mechanism {
    fn as_str(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Plain => Some("PLAIN"),
            Self::ScramSha256 => Some("SCRAM-SHA-256"),
            Self::ScramSha512 => Some("SCRAM-SHA-512"),
        }
    }
}

fn available<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    match bool::deserialize(deserializer)? {
        true if !TLS => Err(D::Error::custom(MISSING)),
        enabled => Ok(enabled),
    }
}

fn known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Mechanism, D::Error> {
    match Mechanism::deserialize(deserializer)? {
        Mechanism::ScramSha256 | Mechanism::ScramSha512 if !TLS => Err(D::Error::custom(MISSING)),
        mechanism => Ok(mechanism),
    }
}

/// Adds TLS and the login to a client's configuration.
pub(super) fn apply(tls: &Tls, sasl: &Sasl, config: &mut ClientConfig) {
    let mechanism = sasl.mechanism.as_str();
    let protocol = match (tls.enabled, mechanism.is_some()) {
        (false, false) => return,
        (false, true) => "sasl_plaintext",
        (true, false) => "ssl",
        (true, true) => "sasl_ssl",
    };
    config.set("security.protocol", protocol);
    if let Some(mechanism) = mechanism {
        config
            .set("sasl.mechanism", mechanism)
            .set("sasl.username", &sasl.username)
            .set("sasl.password", sasl.password.expose());
    }
    if !tls.enabled {
        return;
    }
    if tls.ca.is_empty() {
        // OpenSSL is linked into this program and does not know where this machine keeps its certificates.
        config.set("ssl.ca.location", "probe");
    }
    let own = [
        ("ssl.ca.pem", tls.ca.as_str()),
        ("ssl.certificate.pem", tls.certificate.as_str()),
        ("ssl.key.pem", tls.key.expose()),
    ];
    for (name, value) in own.into_iter().filter(|(_, value)| !value.is_empty()) {
        config.set(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(tls: &Tls, sasl: &Sasl) -> [Option<String>; 4] {
        let mut config = ClientConfig::new();
        apply(tls, sasl, &mut config);
        ["security.protocol", "sasl.mechanism", "ssl.ca.location", "ssl.ca.pem"]
            .map(|name| config.get(name).map(str::to_owned))
    }

    #[test]
    fn brokers_are_spoken_to_as_the_settings_say() {
        let (clear, anonymous) = (Tls::default(), Sasl::default());
        let tls = Tls { enabled: true, ..Tls::default() };
        let own = Tls { enabled: true, ca: "pem".into(), ..Tls::default() };
        let user = Sasl { mechanism: Mechanism::ScramSha512, ..Sasl::default() };
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(set(&clear, &anonymous), [None, None, None, None]);
        assert_eq!(set(&tls, &anonymous), [text("ssl"), None, text("probe"), None]);
        assert_eq!(set(&own, &user), [text("sasl_ssl"), text("SCRAM-SHA-512"), None, text("pem")]);
        assert_eq!(set(&clear, &user), [text("sasl_plaintext"), text("SCRAM-SHA-512"), None, None]);
    }

    #[test]
    fn what_this_build_cannot_do_is_a_mistake_in_the_configuration() {
        let tls = |text: &str| serde_json::from_str::<Tls>(text);
        assert_eq!(tls(r#"{"enabled":true}"#).is_ok(), TLS);
        assert!(tls(r#"{"enabled":false}"#).is_ok());
        let sasl = |text: &str| serde_json::from_str::<Sasl>(text);
        assert_eq!(sasl(r#"{"mechanism":"SCRAM-SHA-256"}"#).is_ok(), TLS);
        assert!(sasl(r#"{"mechanism":"PLAIN"}"#).is_ok());
        assert!(sasl(r#"{"mechanism":"plain"}"#).is_err());
    }
}
