//! What can be ordered. Validation reports all mistakes of an order at once.

use std::collections::HashMap;

use proto::limits::{IDEMPOTENCY_KEY, LINES, PAYMENT_TOKEN, QUANTITY, SKU};

/// An order as the client sent it: any part may be missing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    pub(crate) lines: Option<Vec<DraftLine>>,
    pub(crate) payment_token: Option<String>,
    pub(crate) idempotency_keys: Vec<Vec<u8>>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct DraftLine {
    pub(crate) sku: Option<String>,
    pub(crate) quantity: Option<i64>,
}

/// A valid order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cart {
    pub(crate) lines: Vec<Line>,
    pub(crate) payment_token: String,
    pub(crate) idempotency_key: Option<IdempotencyKey>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) sku: String,
    pub(crate) quantity: i32,
}

/// Makes a request repeatable: 1 to 128 visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IdempotencyKey(pub(crate) String);

/// One thing that is wrong with a [`Draft`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// A path into the request.
    pub(crate) field: String,
    /// Names the value and what was expected.
    pub(crate) detail: String,
}

impl Cart {
    pub(crate) fn check(draft: Draft) -> Result<Self, Vec<Mistake>> {
        let mut mistakes = Mistakes::default();
        let lines = lines(draft.lines, &mut mistakes);
        let payment_token = payment_token(draft.payment_token, &mut mistakes);
        let idempotency_key = idempotency_key(&draft.idempotency_keys, &mut mistakes);
        if mistakes.0.is_empty() {
            Ok(Self { lines, payment_token, idempotency_key })
        } else {
            Err(mistakes.0)
        }
    }
}

#[derive(Default)]
struct Mistakes(Vec<Mistake>);

impl Mistakes {
    fn add(&mut self, field: impl Into<String>, detail: impl Into<String>) {
        self.0.push(Mistake { field: field.into(), detail: detail.into() });
    }
}

fn lines(drafts: Option<Vec<DraftLine>>, mistakes: &mut Mistakes) -> Vec<Line> {
    let Some(drafts) = drafts else {
        mistakes.add("items", "is missing; expected 1 to 50 items");
        return Vec::new();
    };
    let count = i64::try_from(drafts.len()).unwrap_or(i64::MAX);
    if !LINES.contains(&count) {
        mistakes.add(
            "items",
            format!("has {count} items; expected {} to {}", LINES.start(), LINES.end()),
        );
    }
    // A client that sends thousands of lines need not get a mistake for each.
    let considered = (0..*LINES.end()).zip(drafts);
    let mut first_of = HashMap::new();
    considered.filter_map(|(index, draft)| line(index, draft, &mut first_of, mistakes)).collect()
}

fn line(
    index: i64,
    draft: DraftLine,
    first_of: &mut HashMap<String, i64>,
    mistakes: &mut Mistakes,
) -> Option<Line> {
    let sku = sku(index, draft.sku, first_of, mistakes);
    let quantity = draft.quantity.filter(|pieces| QUANTITY.contains(pieces));
    if quantity.is_none() {
        let found =
            draft.quantity.map_or_else(|| "is missing".to_owned(), |pieces| format!("is {pieces}"));
        let expected = format!("{found}; expected {} to {}", QUANTITY.start(), QUANTITY.end());
        mistakes.add(format!("items[{index}].quantity"), expected);
    }
    Some(Line { sku: sku?, quantity: i32::try_from(quantity?).ok()? })
}

fn sku(
    index: i64,
    draft: Option<String>,
    first_of: &mut HashMap<String, i64>,
    mistakes: &mut Mistakes,
) -> Option<String> {
    let path = format!("items[{index}].sku");
    let Some(sku) = draft else {
        mistakes.add(path, "is missing");
        return None;
    };
    if let Some(complaint) = SKU.complaint(&sku) {
        mistakes.add(path, complaint);
        return None;
    }
    if let Some(first) = first_of.get(&sku) {
        mistakes.add(
            path,
            format!("{sku:?} is in items[{first}] already; expected one item for each product"),
        );
        return None;
    }
    first_of.insert(sku.clone(), index);
    Some(sku)
}

fn payment_token(draft: Option<String>, mistakes: &mut Mistakes) -> String {
    let Some(token) = draft else {
        mistakes.add("payment_token", "is missing; expected e.g. tok_ok");
        return String::new();
    };
    if let Some(complaint) = PAYMENT_TOKEN.complaint(&token) {
        mistakes.add("payment_token", complaint);
    }
    token
}

fn idempotency_key(found: &[Vec<u8>], mistakes: &mut Mistakes) -> Option<IdempotencyKey> {
    const HEADER: &str = "Idempotency-Key";
    let key = match found {
        [] => return None,
        [key] => key,
        several => {
            mistakes
                .add(HEADER, format!("is there {} times; expected once at most", several.len()));
            return None;
        }
    };
    // A key that is not UTF-8 is not ASCII either.
    let key = String::from_utf8_lossy(key);
    if let Some(complaint) = IDEMPOTENCY_KEY.complaint(&key) {
        mistakes.add(HEADER, complaint);
        return None;
    }
    Some(IdempotencyKey(key.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft_line(sku: &str, quantity: i64) -> DraftLine {
        DraftLine { sku: Some(sku.into()), quantity: Some(quantity) }
    }

    fn draft(lines: Vec<DraftLine>) -> Draft {
        Draft {
            lines: Some(lines),
            payment_token: Some("tok_ok".into()),
            idempotency_keys: Vec::new(),
        }
    }

    fn fields(draft: Draft) -> Vec<String> {
        Cart::check(draft).unwrap_err().into_iter().map(|mistake| mistake.field).collect()
    }

    #[test]
    fn an_order_that_can_be_meant() {
        let mut draft = draft(vec![draft_line("teapot", 1), draft_line("cup", 100)]);
        draft.idempotency_keys = vec![b"click-7".to_vec()];
        let cart = Cart::check(draft).unwrap();
        assert_eq!(cart.lines[1], Line { sku: "cup".into(), quantity: 100 });
        assert_eq!(cart.idempotency_key, Some(IdempotencyKey("click-7".into())));
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let lines = vec![
            draft_line("teapot", 0),
            draft_line("cup", 101),
            DraftLine::default(),
            draft_line("teapot", 1),
        ];
        let draft = Draft {
            lines: Some(lines),
            payment_token: None,
            idempotency_keys: vec![b"a b".to_vec()],
        };
        assert_eq!(
            fields(draft),
            [
                "items[0].quantity",
                "items[1].quantity",
                "items[2].sku",
                "items[2].quantity",
                "items[3].sku",
                "payment_token",
                "Idempotency-Key"
            ]
        );
    }

    #[test]
    fn an_order_has_1_to_50_lines() {
        assert_eq!(fields(draft(Vec::new())), ["items"]);
        let many = |count| (0..count).map(|index| draft_line(&format!("sku-{index}"), 1)).collect();
        assert_eq!(Cart::check(draft(many(50))).unwrap().lines.len(), 50);
        assert_eq!(fields(draft(many(51))), ["items"]);
    }

    #[test]
    fn a_payment_token_is_one_and_what_is_none_is_not_repeated() {
        for good in ["tok_ok", "tok_1", &format!("tok_{}", "a".repeat(64))] {
            let draft =
                Draft { payment_token: Some((*good).into()), ..draft(vec![draft_line("a", 1)]) };
            assert!(Cart::check(draft).is_ok(), "{good}");
        }
        for bad in [
            "",
            "tok_",
            "ok",
            "tok_OK",
            "tok_ok ",
            "4111111111111111",
            &format!("tok_{}", "a".repeat(65)),
        ] {
            let draft =
                Draft { payment_token: Some((*bad).into()), ..draft(vec![draft_line("a", 1)]) };
            let mistakes = Cart::check(draft).unwrap_err();
            assert_eq!(mistakes[0].field, "payment_token", "{bad}");
            assert!(bad.len() < 10 || !mistakes[0].detail.contains(bad));
        }
    }

    #[test]
    fn an_idempotency_key_is_visible_ascii_and_there_once() {
        let with = |keys: &[&[u8]]| Draft {
            idempotency_keys: keys.iter().map(|key| key.to_vec()).collect(),
            ..draft(vec![draft_line("a", 1)])
        };
        assert!(Cart::check(with(&[&[b'~'; 128]])).is_ok());
        for bad in [&[&b""[..]][..], &[b"a b"], &["clé".as_bytes()], &[&[b'x'; 129]], &[b"a", b"a"]]
        {
            assert_eq!(fields(with(bad)), ["Idempotency-Key"], "{bad:?}");
        }
    }
}
