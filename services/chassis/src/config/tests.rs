use serde::Deserialize;

use super::*;

const IDENTITY: Identity =
    Identity { name: "teapot", version: "1", services: &["teapot", "kettle"] };

#[derive(Debug, Serialize, Deserialize)]
struct Teapot {
    listen: std::net::SocketAddr,
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
) -> Result<Loaded<Teapot>, Mistakes> {
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
    let mistakes = read(file, &[("MESH_CUPS", "many")], &[("drain.deadline", "soon")]).unwrap_err();
    let text = mistakes.to_string();
    assert_eq!(mistakes.0.len(), 5, "{text}");
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
    let mistakes = load::<Teapot>(IDENTITY, &sources).unwrap_err();
    assert!(mistakes.to_string().contains("lid.password_file: cannot read"), "{mistakes}");
}

#[test]
fn a_url_is_shown_without_its_password() {
    assert_eq!(
        tree::masked("postgres://ada:lovelace@db:5432/mesh"),
        "postgres://ada:***@db:5432/mesh"
    );
    assert_eq!(tree::masked("http://localhost:1/x@y"), "http://localhost:1/x@y");
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
    assert_eq!(telemetry.endpoint, "http://collector:4317");
    assert!((telemetry.sample_ratio - 0.25).abs() < f64::EPSILON);
    assert_eq!(telemetry.timeout.as_millis(), 1500);
    let mistakes = read("", &[("OTEL_TRACES_SAMPLER", "jaeger_remote")], &[]).unwrap_err();
    assert!(mistakes.to_string().contains("jaeger_remote"), "{mistakes}");
}
