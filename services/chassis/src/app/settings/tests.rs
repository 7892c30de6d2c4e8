use super::*;
use crate::config::SecretUrl;

const IDENTITY: Identity =
    Identity { name: "teapot", version: "1", revision: "unknown", services: &["teapot", "kettle"] };

#[derive(Debug, Serialize, Deserialize)]
struct Teapot {
    listen: SocketAddr,
    cups: u8,
    lid: Lid,
}

#[derive(Debug, Serialize, Deserialize)]
struct Lid {
    colour: String,
    password: String,
}

impl Default for Teapot {
    fn default() -> Self {
        let lid = Lid { colour: "blue".into(), password: String::new() };
        Self { listen: ([127, 0, 0, 1], 1).into(), cups: 4, lid }
    }
}

fn sources(
    file: &str,
    environment: &[(&str, &str)],
    overrides: &[(&str, &str)],
) -> (tempfile::TempDir, Sources) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mesh.toml");
    std::fs::write(&path, file).unwrap();
    let owned = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    };
    (folder, Sources { file: path, environment: owned(environment), overrides: owned(overrides) })
}

fn read(
    file: &str,
    environment: &[(&str, &str)],
    overrides: &[(&str, &str)],
) -> Result<Loaded<Teapot>, ConfigErrors> {
    let (_folder, sources) = sources(file, environment, overrides);
    load(IDENTITY, &sources)
}

#[test]
fn without_a_file_everything_has_a_default() {
    let loaded = load::<Teapot>(IDENTITY, &Sources::default()).unwrap();
    assert_eq!(loaded.service.cups, 4);
    assert!(
        loaded.effective.iter().all(|setting| setting.source == "default"),
        "{:?}",
        loaded.effective
    );
}

#[test]
fn the_nearer_source_wins_and_is_named() {
    let file = "[default]\ncups = 5\n[teapot]\ncups = 6\nlid.colour = 'red'\n[kettle]\nwatts = 9";
    let source = |loaded: &Loaded<Teapot>, key: &str| {
        loaded.effective.iter().find(|setting| setting.key == key).unwrap().source.clone()
    };
    let loaded = read(file, &[], &[]).unwrap();
    assert_eq!((loaded.service.cups, loaded.service.lid.colour.as_str()), (6, "red"));
    assert_eq!(source(&loaded, "lid.colour"), "mesh.toml");

    let environment =
        [("MESH_CUPS", "7"), ("MESH_TEAPOT__LID__COLOUR", "10"), ("MESH_KETTLE__WATTS", "1")];
    let loaded = read(file, &environment, &[]).unwrap();
    assert_eq!((loaded.service.cups, loaded.service.lid.colour.as_str()), (7, "10"));
    assert_eq!(source(&loaded, "cups"), "environment variable MESH_CUPS");

    let loaded = read(file, &environment, &[("cups", "8")]).unwrap();
    assert_eq!(loaded.service.cups, 8);
    assert_eq!(source(&loaded, "cups"), "command line --set cups");
}

#[test]
fn all_mistakes_are_told_at_once_each_with_its_source() {
    let file = "[default]\ncup = 5\n[teapot]\nlisten = 'here'\n[saucer]\nx = 1";
    let errors = read(file, &[("MESH_CUPS", "many")], &[("drain.deadline", "soon")]).unwrap_err();
    let text = errors.to_string();
    assert_eq!(errors.0.len(), 5, "{text}");
    assert!(
        text.contains("[saucer]: no such profile; expected one of default, teapot, kettle"),
        "{text}"
    );
    assert!(text.contains("cup: no such setting; did you mean cups? (from mesh.toml)"), "{text}");
    assert!(text.contains("listen: ") && text.contains("(from mesh.toml)"), "{text}");
    assert!(
        text.contains("cups: ") && text.contains("(from environment variable MESH_CUPS)"),
        "{text}"
    );
    assert!(
        text.contains("drain.deadline: ")
            && text.contains("(from command line --set drain.deadline)"),
        "{text}"
    );
}

#[test]
fn a_secret_may_be_a_file_and_is_never_shown() {
    let (folder, mut sources) = sources("", &[], &[]);
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "hunter2\n").unwrap();
    sources.overrides.push(("lid.password_file".into(), secret.display().to_string()));
    let loaded = load::<Teapot>(IDENTITY, &sources).unwrap();
    assert_eq!(loaded.service.lid.password, "hunter2");
    let shown = loaded.effective.iter().find(|setting| setting.key == "lid.password").unwrap();
    assert_eq!(
        (shown.value.as_str(), shown.source.as_str()),
        (Some("***"), "command line --set lid.password_file")
    );
    sources.overrides[0].1.push('x');
    let errors = load::<Teapot>(IDENTITY, &sources).unwrap_err();
    assert!(errors.to_string().contains("lid.password_file: cannot read"), "{errors}");
}

/// Secrets are hidden by their type, by their name, and in whatever looks like a URL, from every source.
#[test]
fn no_secret_is_shown_whatever_its_source() {
    let file = "[default]\nlid.password = 'hunter2'\n[teapot]\ntelemetry.headers = 'x=hunter2'";
    let environment = [
        ("MESH_NATS__URL", "nats://a:hunter2@one:1,nats://hunter2@two:2"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "authorization=Bearer%20hunter2"),
        ("MESH_LID__COLOUR", "https://example.com/?api_key=hunter2"),
        ("MESH_REDIS__URL", "redis://:hunter2@valkey:6379"),
    ];
    let loaded = read(file, &environment, &[("kafka.brokers", "kafka:1")]).unwrap();
    let shown = serde_json::to_string(&loaded.effective).unwrap();
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(
        shown.contains("nats://a:***@one:1,nats://***@two:2")
            && shown.contains("redis://:***@valkey"),
        "{shown}"
    );
    assert!(!format!("{:?}", loaded.settings.telemetry).contains("hunter2"));
    assert_eq!(loaded.settings.telemetry.headers.expose(), "x=hunter2");
    // A secret of the wrong form is not shown either.
    let wrong =
        [("OTEL_EXPORTER_OTLP_HEADERS", "hunter2"), ("MESH_CUPS", "nats://a:hunter2@one:1")];
    let errors = read("", &wrong, &[]).unwrap_err().to_string();
    assert!(
        !errors.contains("hunter2") && errors.contains("OTEL_EXPORTER_OTLP_HEADERS"),
        "{errors}"
    );
}

#[test]
fn opentelemetry_variables_are_honoured() {
    let environment = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317"),
        ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "1500"),
    ];
    let telemetry = read("", &environment, &[]).unwrap().settings.telemetry;
    assert_eq!(telemetry.endpoint.expose(), "http://collector:4317");
    assert!((telemetry.sample_ratio - 0.25).abs() < f64::EPSILON);
    assert_eq!(telemetry.timeout.as_millis(), 1500);
    let errors = read("", &[("OTEL_TRACES_SAMPLER", "jaeger_remote")], &[]).unwrap_err();
    assert!(errors.to_string().contains("jaeger_remote"), "{errors}");
}

#[test]
fn opentelemetry_variables_mean_what_the_specification_says() {
    let telemetry =
        |environment: &[(&str, &str)]| read("", environment, &[]).unwrap().settings.telemetry;
    for (text, disabled) in [
        ("TRUE", true),
        ("True", true),
        ("true", true),
        ("false", false),
        ("1", false),
        ("yes", false),
    ] {
        assert_eq!(telemetry(&[("OTEL_SDK_DISABLED", text)]).disabled, disabled, "{text}");
    }
    // The sampler's argument alone has no effect.
    let ratio = |environment: &[(&str, &str)]| {
        let telemetry = telemetry(environment);
        (telemetry.sample_ratio.to_string(), telemetry.parent_based)
    };
    assert_eq!(ratio(&[("OTEL_TRACES_SAMPLER_ARG", "0.25")]), ("1".into(), true));
    assert_eq!(ratio(&[("OTEL_TRACES_SAMPLER", "always_off")]), ("0".into(), false));
    let both = [("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "0.25")];
    assert_eq!(ratio(&both), ("0.25".into(), false));
    let signal = telemetry(&[
        ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://logs:4318/v1/logs"),
        ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "1500"),
        ("OTEL_SERVICE_NAME", "pot"),
    ]);
    assert_eq!(signal.logs.endpoint.expose(), "http://logs:4318/v1/logs");
    assert_eq!((signal.logs.timeout.as_millis(), signal.service_name.as_str()), (1500, "pot"));
}

#[test]
fn a_wrong_variable_of_opentelemetry_is_named() {
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4317"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "localhost:4317"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a b=c"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
        ("OTEL_RESOURCE_ATTRIBUTES", "a=%"),
        ("MESH_LOG__FILTER", "orders=wat"),
        ("MESH_NATS__URL", "nats://one:4222,nats://two:port"),
    ] {
        let errors = read("", &[(name, value)], &[]).unwrap_err().to_string();
        assert!(errors.contains(&format!("(from environment variable {name})")), "{errors}");
    }
    let range = [("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "1.5")];
    let errors = read("", &range, &[]).unwrap_err().to_string();
    assert!(errors.contains("OTEL_TRACES_SAMPLER_ARG"), "{errors}");
}

/// A service with all kinds of URLs.
#[derive(Debug, Serialize, Deserialize)]
struct Warehouse {
    database: crate::database::Config,
    #[serde(deserialize_with = "crate::http::base_url")]
    provider: SecretUrl,
}

impl Default for Warehouse {
    fn default() -> Self {
        let database = crate::database::Config::local("teapot");
        Self { database, provider: "http://127.0.0.1:1".into() }
    }
}

fn warehouse(environment: &[(&str, &str)]) -> Result<Loaded<Warehouse>, ConfigErrors> {
    let (_folder, sources) = sources("", environment, &[]);
    load(IDENTITY, &sources)
}

/// `/config` and `mesh config` show the effective settings; logs and errors show `Debug` and `Display` of the types.
#[test]
fn no_setting_shows_its_secret_in_any_form() {
    let loaded = warehouse(&[
        ("MESH_DATABASE__URL", "postgres://ada:hunter2@db/mesh?password=hunter2"),
        ("MESH_PROVIDER", "http://ada:hunter2@pay/v1"),
        ("MESH_REDIS__URL", "redis://:hunter2@valkey:6379"),
        ("MESH_NATS__URL", "nats://hunter2@one:1,ada:hunter2@two:2"),
        ("MESH_KAFKA__SASL__PASSWORD", "hunter2"),
        ("MESH_KAFKA__TLS__KEY", "hunter2"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://ada:hunter2@collector:4317"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://collector/v1/traces?api_key=hunter2"),
        ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://hunter2@collector/v1/logs"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=hunter2"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "authorization=hunter2"),
        ("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "authorization=hunter2"),
    ])
    .unwrap();
    let Loaded { settings, service, effective } = loaded;
    for shown in [
        serde_json::to_string(&effective).unwrap(),
        serde_json::to_string(&settings).unwrap(),
        serde_json::to_string(&service).unwrap(),
        format!("{settings:?} {service:?}"),
    ] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    assert!(service.database.url.expose().contains("hunter2"), "what connects has it");
    assert_eq!(service.provider.expose(), "http://ada:hunter2@pay/v1");
}

#[test]
fn addresses_that_cannot_be_reached_by_anything_are_mistakes_all_at_once() {
    let wrong = [
        ("MESH_DATABASE__URL", "mysql://ada:hunter2@db/mesh"),
        ("MESH_PROVIDER", "ftp://ada:hunter2@pay"),
        ("MESH_REDIS__URL", "http://ada:hunter2@valkey"),
        ("MESH_NATS__URL", "://hunter2@"),
        ("MESH_KAFKA__BROKERS", "kafka:9092,hunter2@kafka:9093"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "ada:hunter2@collector"),
    ];
    let errors = warehouse(&wrong).unwrap_err();
    let text = errors.to_string();
    for (variable, _) in wrong {
        assert!(text.contains(&format!("(from environment variable {variable})")), "{text}");
    }
    assert_eq!(errors.0.len(), wrong.len(), "{text}");
    assert!(!text.contains("hunter2"), "{text}");

    let refused = |variable: &str, value: &str| warehouse(&[(variable, value)]).is_err();
    for database in ["", "db", "postgres://db:x/mesh", "sqlite://", "sqlite:", "file:x"] {
        assert!(refused("MESH_DATABASE__URL", database), "{database}");
    }
    for provider in
        ["", "pay", "pay:80", "http://", "https://pay", "http://pay?key=x", "http://pay:x"]
    {
        assert!(refused("MESH_PROVIDER", provider), "{provider}");
    }
    for brokers in
        ["", ",", "kafka:x", "kafka:0", "kafka:9092,", "http://kafka:9092", "a b:9092", "::1"]
    {
        assert!(refused("MESH_KAFKA__BROKERS", brokers), "{brokers}");
    }
    for brokers in ["kafka", "kafka:9092, b:9092", "[::1]:9092", "SASL_SSL://kafka:9093"] {
        assert!(!refused("MESH_KAFKA__BROKERS", brokers), "{brokers}");
    }
    for database in ["postgresql://db/mesh", "postgres:///mesh?host=/run/postgresql", "sqlite:a.db"]
    {
        assert!(!refused("MESH_DATABASE__URL", database), "{database}");
    }
}
