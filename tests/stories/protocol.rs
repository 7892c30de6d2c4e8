//! The WebSocket protocol, frame by frame: cases in the manner of the Autobahn test suite, and what the gateway has to answer.
//! The messages are pings of the application, which the gateway answers with their id.

mod cases;

use std::sync::Arc;

use harness::{
    Options,
    websocket::{CLOSE, FIN, PONG, TEXT, WebSocket, frame},
};
use serde_json::Value;
use tokio::task::JoinSet;

/// What the gateway sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The answer to a ping of the application.
    Reply(String),
    /// The refusal of a message, by the end of its problem's type.
    Refused(&'static str),
    /// A pong of the protocol.
    Pong(Vec<u8>),
    /// A close frame; without a code if it is empty.
    Close(Option<u16>),
}

/// One case.
pub(crate) struct Case {
    pub(crate) name: String,
    /// What the client writes: each part at once, or byte by byte.
    pub(crate) parts: Vec<Vec<u8>>,
    pub(crate) is_chopped: bool,
    /// All that the gateway sends after `hello`, up to the end of the connection.
    pub(crate) answers: Vec<Answer>,
}

/// How many cases run at the same time.
const WORKERS: usize = 16;

#[expect(clippy::print_stdout, reason = "a figure of this run")]
fn show(text: &str) {
    println!("{text}");
}

/// Every case of the table; the number of cases is printed.
pub(crate) async fn a_websocket_keeps_to_the_protocol(options: Options) {
    let mesh = options.start().await;
    let (port, cases) = (mesh.base(), Arc::new(cases::all()));
    let mut workers = JoinSet::new();
    for worker in 0..WORKERS {
        let cases = Arc::clone(&cases);
        workers.spawn(async move {
            let mut failed = Vec::new();
            for case in cases.iter().skip(worker).step_by(WORKERS) {
                let (answers, expected) = (run(port, case).await, &case.answers);
                if answers != *expected {
                    failed.push(format!("{}: expected {expected:?}, got {answers:?}", case.name));
                }
            }
            failed
        });
    }
    let failed = workers.join_all().await.concat();
    show(&format!("{} cases of the WebSocket protocol, {} failed", cases.len(), failed.len()));
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(cases.len() > 450, "{}", cases.len());
}

async fn run(port: u16, case: &Case) -> Vec<Answer> {
    let mut socket = WebSocket::open(port).await;
    for part in &case.parts {
        if case.is_chopped {
            for byte in part {
                socket.write(&[*byte]).await;
            }
        } else {
            socket.write(part).await;
        }
    }
    let mut answers = Vec::new();
    while let Some(frame) = socket.frame().await {
        let text = |pointer: &str| {
            let json: Value = serde_json::from_slice(&frame.payload).expect("JSON");
            json.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        match frame.first {
            first if first == FIN | TEXT => match text("/type").as_str() {
                "hello" => {}
                "pong" => answers.push(Answer::Reply(text("/id"))),
                "error" => {
                    let kind = text("/problem/type");
                    let known = ["malformed-json", "invalid-message", "too-many-messages"];
                    let known = known.into_iter().find(|word| kind.ends_with(word));
                    answers.push(Answer::Refused(known.unwrap_or("another problem")));
                }
                other => panic!("{}: {other}", case.name),
            },
            first if first == FIN | PONG => answers.push(Answer::Pong(frame.payload)),
            first if first == FIN | CLOSE => {
                answers.push(Answer::Close(frame.close().map(|(code, _)| code)));
                // The end of the closing handshake; otherwise the gateway waits for it.
                socket.write(&harness::websocket::frame(FIN | CLOSE, &frame.payload)).await;
            }
            _ => panic!("{}: {frame:?}", case.name),
        }
    }
    answers
}

/// The opening handshake, and what is refused before it.
pub(crate) async fn a_websocket_needs_a_valid_handshake(options: Options) {
    let mesh = options.set("MESH_HTTP__ORIGINS", "https://admin.example.com").start().await;
    let own = format!("http://127.0.0.1:{}", mesh.base());
    let foreign = format!("http://localhost:{}", mesh.base());
    let get = "GET /api/live";
    for (request, headers, status) in [
        (get, vec![], "101"),
        (get, vec![("Origin", own.as_str())], "101"),
        (get, vec![("Origin", "https://admin.example.com")], "101"),
        (get, vec![("Origin", "https://evil.example")], "403"),
        (get, vec![("Origin", foreign.as_str())], "403"),
        (get, vec![("Origin", "null")], "403"),
        (get, vec![("Host", "evil.example"), ("Origin", "http://evil.example")], "421"),
        (get, vec![("Upgrade", "")], "426"),
        (get, vec![("Upgrade", "h2c")], "426"),
        (get, vec![("Connection", "close")], "400"),
        (get, vec![("Sec-WebSocket-Version", "")], "426"),
        (get, vec![("Sec-WebSocket-Version", "8")], "426"),
        (get, vec![("Sec-WebSocket-Key", "")], "400"),
        (get, vec![("Sec-WebSocket-Key", "c2hvcnQ=")], "400"),
        ("POST /api/live", vec![], "405"),
        (get, vec![("Upgrade", "WebSocket"), ("Connection", "keep-alive, Upgrade")], "101"),
        (get, vec![("Sec-WebSocket-Extensions", "permessage-deflate")], "101"),
        (get, vec![("Sec-WebSocket-Protocol", "chat, superchat")], "101"),
    ] {
        let answer = WebSocket::shake(mesh.base(), request, &headers, 64 * 1024).await;
        assert_eq!(answer.head.split(' ').nth(1), Some(status), "{request} {headers:?}");
        let head = answer.head.to_lowercase();
        assert_eq!(head.contains("sec-websocket-version: 13"), status == "426", "{head}");
        assert_eq!(head.contains("application/problem+json"), status != "101", "{head}");
        for absent in ["sec-websocket-extensions", "sec-websocket-protocol"] {
            assert!(!head.contains(absent), "{head}");
        }
    }
}

/// A ping of the application.
pub(crate) fn ping(id: &str) -> Vec<u8> {
    format!("{{\"type\":\"ping\",\"id\":\"{id}\"}}").into_bytes()
}

/// A whole text message.
pub(crate) fn text(payload: &[u8]) -> Vec<u8> {
    frame(FIN | TEXT, payload)
}
