//! The table of cases, by the sections of the Autobahn test suite.

use harness::websocket::{BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, TEXT, frame};

use super::{
    Answer::{self, Close, Pong, Refused, Reply},
    Case, ping, text,
};

/// The longest message that the gateway takes.
const LONGEST: usize = 4096;
const NORMAL: u16 = 1000;
const PROTOCOL: u16 = 1002;
const UNSUPPORTED: u16 = 1003;
const NOT_UTF8: u16 = 1007;
const POLICY: u16 = 1008;
const TOO_LARGE: u16 = 1009;

/// Collects cases.
#[derive(Default)]
struct Table(Vec<Case>);

impl Table {
    /// The connection goes on afterwards: the client ends it.
    fn accepts(&mut self, name: impl Into<String>, parts: &[Vec<u8>], answers: &[Answer]) {
        let parts = [parts, &[close(&NORMAL.to_be_bytes())]].concat();
        let answers = [answers, &[Close(Some(NORMAL))]].concat();
        self.both(name.into(), parts, answers);
    }

    /// The gateway ends the connection with this code.
    fn refuses(
        &mut self,
        name: impl Into<String>,
        parts: &[Vec<u8>],
        answers: &[Answer],
        code: u16,
    ) {
        let answers = [answers, &[Close(Some(code))]].concat();
        self.both(name.into(), parts.to_vec(), answers);
    }

    /// A short case is run a second time, byte by byte.
    fn both(&mut self, name: String, parts: Vec<Vec<u8>>, answers: Vec<Answer>) {
        let is_short = parts.iter().map(Vec::len).sum::<usize>() < 300;
        if is_short {
            let (name, parts) = (format!("{name}, byte by byte"), parts.clone());
            self.0.push(Case { name, parts, is_chopped: true, answers: answers.clone() });
        }
        self.0.push(Case { name, parts, is_chopped: false, answers });
    }
}

pub(crate) fn all() -> Vec<Case> {
    let mut table = Table::default();
    framing(&mut table);
    pings(&mut table);
    reserved(&mut table);
    fragments(&mut table);
    utf8(&mut table);
    closes(&mut table);
    limits(&mut table);
    table.0
}

fn close(payload: &[u8]) -> Vec<u8> {
    frame(FIN | CLOSE, payload)
}

fn reply(id: &str) -> Answer {
    Reply(id.to_owned())
}

/// A ping of the application with white space up to this length.
fn padded(length: usize) -> Vec<u8> {
    let mut payload = ping("x");
    payload.resize(length, b' ');
    payload
}

/// 1: lengths of text and binary messages.
fn framing(table: &mut Table) {
    for length in [60, 125, 126, 127, 128, 255, 256, 1000, LONGEST - 1, LONGEST] {
        table.accepts(
            format!("1.1: {length} bytes of text"),
            &[text(&padded(length))],
            &[reply("x")],
        );
    }
    table.accepts("1.1: an empty text", &[text(b"")], &[Refused("malformed-json")]);
    for length in [0, 125, 126, 127, 128, LONGEST] {
        let message = frame(FIN | BINARY, &vec![0xfe; length]);
        table.refuses(format!("1.2: {length} binary bytes"), &[message], &[], UNSUPPORTED);
    }
}

/// 2: pings and pongs.
fn pings(table: &mut Table) {
    let octets: Vec<u8> = (0..125).map(|index| 0xff - index).collect();
    for payload in [&b""[..], b"Hello", &[0, 0xff, 0xfe, 0xfd, 0xfc], &octets] {
        let name = format!("2: a ping with {} bytes", payload.len());
        table.accepts(name, &[frame(FIN | PING, payload)], &[Pong(payload.to_vec())]);
    }
    table.refuses("2.5: a ping with 126 bytes", &[frame(FIN | PING, &[0xfe; 126])], &[], PROTOCOL);
    table.refuses("2.5: a pong with 126 bytes", &[frame(FIN | PONG, &[0xfe; 126])], &[], PROTOCOL);
    table.accepts("2.7: a pong without a ping", &[frame(FIN | PONG, b"")], &[]);
    table.accepts("2.8: a pong with a payload", &[frame(FIN | PONG, b"unsolicited")], &[]);
    let ten: Vec<_> = (0..10_u8).map(|number| frame(FIN | PING, &[number])).collect();
    let answers: Vec<_> = (0..10_u8).map(|number| Pong(vec![number])).collect();
    table.accepts(
        "2.9: a pong, then a ping",
        &[frame(FIN | PONG, b"x"), ten[0].clone()],
        &answers[..1],
    );
    table.accepts("2.10: ten pings", &ten, &answers);
    table.accepts("2.10: ten pings in one segment", &[ten.concat()], &answers);
}

/// 3 and 4: reserved bits, reserved opcodes, frames without a mask.
fn reserved(table: &mut Table) {
    for bits in 1..8_u8 {
        for (name, opcode) in
            [("text", TEXT), ("binary", BINARY), ("ping", PING), ("pong", PONG), ("close", CLOSE)]
        {
            let bad = frame(FIN | bits << 4 | opcode, b"");
            table.refuses(format!("3: bits {bits} in a {name}"), &[bad], &[], PROTOCOL);
        }
        let after = [text(&ping("a")), frame(FIN | bits << 4 | TEXT, &ping("b"))];
        table.refuses(format!("3: bits {bits} after a text"), &after, &[reply("a")], PROTOCOL);
    }
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        for payload in [&b""[..], b"reserved"] {
            let name = format!("4: opcode {opcode} with {} bytes", payload.len());
            table.refuses(name, &[frame(FIN | opcode, payload)], &[], PROTOCOL);
        }
        let after = [text(&ping("a")), frame(FIN | opcode, b""), frame(FIN | PING, b"late")];
        table.refuses(format!("4: opcode {opcode} after a text"), &after, &[reply("a")], PROTOCOL);
    }
    for (name, bytes) in [
        ("a text", [&[FIN | TEXT, 2][..], b"{}"].concat()),
        ("a ping", vec![FIN | PING, 0]),
        ("a close", vec![FIN | CLOSE, 0]),
    ] {
        table.refuses(format!("5.1 of RFC 6455: {name} without a mask"), &[bytes], &[], PROTOCOL);
    }
}

/// 5: messages in fragments, with control frames between them.
#[expect(clippy::too_many_lines, reason = "a table")]
fn fragments(table: &mut Table) {
    let message = ping("in pieces");
    let (one, two) = message.split_at(9);
    let first = frame(TEXT, one);
    let last = frame(FIN | CONTINUATION, two);
    let whole = [reply("in pieces")];
    let control = frame(FIN | PING, b"between");
    let pong = Pong(b"between".to_vec());
    table.refuses(
        "5.1: a ping in fragments",
        &[frame(PING, b"a"), frame(FIN | CONTINUATION, b"b")],
        &[],
        PROTOCOL,
    );
    table.refuses(
        "5.2: a pong in fragments",
        &[frame(PONG, b"a"), frame(FIN | CONTINUATION, b"b")],
        &[],
        PROTOCOL,
    );
    table.refuses("5: a close in fragments", &[frame(CLOSE, b"")], &[], PROTOCOL);
    table.accepts("5.3: two fragments", &[first.clone(), last.clone()], &whole);
    table.accepts(
        "5.4: two fragments in one segment",
        &[[first.clone(), last.clone()].concat()],
        &whole,
    );
    let between = [first.clone(), control.clone(), last.clone()];
    table.accepts("5.6: a ping between fragments", &between, &[pong.clone(), whole[0].clone()]);
    let many: Vec<_> = [first.clone()]
        .into_iter()
        .chain((0..5).map(|_| control.clone()))
        .chain([last.clone()])
        .collect();
    let answers = [vec![pong.clone(); 5], whole.to_vec()].concat();
    table.accepts("5.7: five pings between fragments", &many, &answers);
    table.accepts(
        "5: a pong between fragments",
        &[first.clone(), frame(FIN | PONG, b"x"), last.clone()],
        &whole,
    );
    let empty = frame(CONTINUATION, b"");
    let empties =
        [frame(TEXT, b""), empty.clone(), first_as_continuation(one), empty, last.clone()];
    table.accepts("5: empty fragments", &empties, &whole);
    let bytes: Vec<_> = message
        .iter()
        .enumerate()
        .map(|(index, byte)| frame(if index == 0 { TEXT } else { CONTINUATION }, &[*byte]))
        .chain([frame(FIN | CONTINUATION, b"")])
        .collect();
    table.accepts("5: a fragment for each byte", &bytes, &whole);
    for (name, first) in [("a last", FIN | CONTINUATION), ("a", CONTINUATION)] {
        let name = format!("5.9: {name} continuation of nothing");
        table.refuses(name.clone(), &[frame(first, b"x")], &[], PROTOCOL);
        let after = [text(&ping("a")), frame(first, b"x")];
        table.refuses(format!("{name}, after a text"), &after, &[reply("a")], PROTOCOL);
    }
    for opcode in [TEXT, BINARY] {
        for fin in [0, FIN] {
            let name = format!("5.18: a message ({fin:#x}, {opcode}) within a message");
            table.refuses(name, &[first.clone(), frame(fin | opcode, b"x")], &[], PROTOCOL);
        }
    }
    let closed = [first, close(&NORMAL.to_be_bytes())];
    table.both("5: a close between fragments".into(), closed.to_vec(), vec![Close(Some(NORMAL))]);
}

fn first_as_continuation(payload: &[u8]) -> Vec<u8> {
    frame(CONTINUATION, payload)
}

/// 6: text that is, and that is not, UTF-8; also in fragments that cut characters.
#[expect(clippy::too_many_lines, reason = "a table")]
fn utf8(table: &mut Table) {
    for id in [
        "κόσμε",
        "ñ€𐍈",
        "\u{7ff}\u{800}",
        "\u{d7ff}\u{e000}",
        "\u{fffd}\u{ffff}",
        "\u{10000}\u{10ffff}",
        "\u{fdd0}",
        "\u{1fffe}",
    ] {
        let message = ping(id);
        table.accepts(format!("6.5: {id:?}"), &[text(&message)], &[reply(id)]);
        for cut in 21..message.len() - 2 {
            let fragments =
                [frame(TEXT, &message[..cut]), frame(FIN | CONTINUATION, &message[cut..])];
            table.0.push(Case {
                name: format!("6.6: {id:?}, cut at byte {cut}"),
                parts: [&fragments[..], &[close(&NORMAL.to_be_bytes())]].concat(),
                is_chopped: false,
                answers: vec![reply(id), Close(Some(NORMAL))],
            });
        }
    }
    let bad: [&[u8]; 22] = [
        b"\x80",
        b"\xbf",
        b"\x80\xbf\x80",
        b"\xc0\xaf",
        b"\xc1\xbf",
        b"\xc3",
        b"\xc3 ",
        b"\xe0\x80\xaf",
        b"\xe0\x9f\xbf",
        b"\xe2\x82",
        b"\xed\xa0\x80",
        b"\xed\xad\xbf",
        b"\xed\xa0\x80\xed\xb0\x80",
        b"\xed\xbf\xbf",
        b"\xf0\x80\x80\xaf",
        b"\xf0\x8f\xbf\xbf",
        b"\xf0\x9f\x98",
        b"\xf4\x90\x80\x80",
        b"\xf5\x80\x80\x80",
        b"\xf8\x88\x80\x80\x80",
        b"\xfe",
        b"\xff",
    ];
    for bytes in bad {
        let message = [&b"{\"type\":\"ping\",\"id\":\""[..], bytes, b"\"}"].concat();
        table.refuses(format!("6.3: {bytes:x?}"), &[text(&message)], &[], NOT_UTF8);
        let cut = 21 + bytes.len().div_ceil(2);
        let fragments = [frame(TEXT, &message[..cut]), frame(FIN | CONTINUATION, &message[cut..])];
        table.refuses(format!("6.4: {bytes:x?} in fragments"), &fragments, &[], NOT_UTF8);
    }
    let fails_early = [frame(TEXT, b"\"\xce\xba\xf4\x90\x80\x80"), frame(CONTINUATION, b"x")];
    table.refuses("6.4: the first fragment is enough", &fails_early, &[], NOT_UTF8);
    table.refuses("6: a text that ends within a character", &[text(b"\"\xe2\x82")], &[], NOT_UTF8);
}

/// 7: the closing handshake.
fn closes(table: &mut Table) {
    let normal = NORMAL.to_be_bytes();
    let mut ends = |name: &str, parts: &[Vec<u8>], code: Option<u16>| {
        table.both(format!("7: {name}"), parts.to_vec(), vec![Close(code)]);
    };
    ends("without a code", &[close(b"")], None);
    ends("with a code", &[close(&normal)], Some(NORMAL));
    ends("with a reason", &[close(&[&normal[..], b"bye"].concat())], Some(NORMAL));
    ends("with the longest reason", &[close(&[&normal[..], &[b'*'; 123]].concat())], Some(NORMAL));
    ends("twice", &[close(&normal), close(&normal)], Some(NORMAL));
    ends("then a ping", &[close(&normal), frame(FIN | PING, b"")], Some(NORMAL));
    ends("then a text", &[close(&normal), text(&ping("late"))], Some(NORMAL));
    ends("one byte", &[close(&[3])], Some(PROTOCOL));
    ends("a reason of 124 bytes", &[close(&[&normal[..], &[b'*'; 124]].concat())], Some(PROTOCOL));
    ends(
        "a reason that is not UTF-8",
        &[close(&[&normal[..], b"\xce\xba\xe1\xbd\xff"].concat())],
        Some(NOT_UTF8),
    );
    for code in (1000..=1003).chain(1007..=1013).chain([3000, 3999, 4000, 4999]) {
        ends(&format!("7.7: code {code}"), &[close(&u16::to_be_bytes(code))], Some(code));
    }
    for code in [0, 1, 999, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535] {
        ends(&format!("7.9: code {code}"), &[close(&u16::to_be_bytes(code))], Some(PROTOCOL));
    }
}

/// 9 and beyond: what is too large or too much.
fn limits(table: &mut Table) {
    for length in [LONGEST + 1, 65_535, 65_536] {
        table.refuses(format!("9: {length} bytes"), &[text(&padded(length))], &[], TOO_LARGE);
    }
    let endless = [&[FIN | TEXT, 0x80 | 127][..], &(1_u64 << 40).to_be_bytes(), &[0; 4]].concat();
    table.refuses("9: a head that announces a terabyte", &[endless], &[], TOO_LARGE);
    let piece = vec![b' '; 1024];
    let mut pieces = vec![frame(TEXT, &ping("x"))];
    pieces.extend((0..3).map(|_| frame(CONTINUATION, &piece)));
    let fits = [&pieces[..], &[frame(FIN | CONTINUATION, b" ")]].concat();
    table.accepts("9: fragments that fit together", &fits, &[reply("x")]);
    let exceeds = [&pieces[..], &[frame(FIN | CONTINUATION, &piece)]].concat();
    table.refuses("9: fragments that are too large together", &exceeds, &[], TOO_LARGE);
    let flood: Vec<_> = (0..2_000).map(|_| frame(FIN | PONG, b"")).collect();
    table.refuses("a flood of pongs", &[flood.concat()], &[], POLICY);
}
