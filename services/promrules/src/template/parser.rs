//! Tokens → the tree of a template. Names that a template does not have are refused here, before anything is evaluated.

use super::{
    functions::{FUNCTIONS, Function, UNSUPPORTED},
    lexer::{Piece, Token},
    printf,
    value::{Pattern, Value},
};

/// A part of a template.
#[derive(Debug)]
pub(super) enum Node {
    /// What is copied.
    Text(String),
    /// What is evaluated, and written unless it sets a variable.
    Action(Pipeline),
    /// `if`
    If(Branches),
    /// `with`: the value is `.` inside.
    With(Branches),
    /// `range`: each element is `.` inside.
    Range(Branches),
}

/// The parts of `if`, `with` and `range`.
#[derive(Debug)]
pub(super) struct Branches {
    pub(super) head: Pipeline,
    pub(super) then: Vec<Node>,
    pub(super) otherwise: Vec<Node>,
}

/// Commands, each of which gets the result of the one before as its last argument.
#[derive(Debug)]
pub(super) struct Pipeline {
    /// The variables that it sets: one, or the two of `range $key, $value := …`.
    pub(super) targets: Vec<String>,
    /// Whether these variables are new.
    pub(super) declares: bool,
    pub(super) commands: Vec<Command>,
}

/// An operand, or a function with its arguments.
#[derive(Debug)]
pub(super) enum Command {
    Operand(Operand),
    Call(&'static Function, Vec<Operand>),
    /// `and`: the first argument that is false, or the last one.
    And(Vec<Operand>),
    /// `or`: the first argument that is true, or the last one.
    Or(Vec<Operand>),
}

/// A value, and the fields that are read from it.
#[derive(Debug)]
pub(super) struct Operand {
    pub(super) source: Source,
    pub(super) fields: Vec<String>,
}

/// Where a value comes from.
#[derive(Debug)]
pub(super) enum Source {
    Dot,
    Literal(Value),
    Variable(String),
    Function(&'static Function),
    Pipeline(Box<Pipeline>),
}

/// The maximum of blocks and parentheses within each other.
const MAX_DEPTH: usize = 50;

/// The variables that every template has.
pub(super) const VARIABLES: [&str; 5] = ["", "labels", "externalLabels", "externalURL", "value"];

/// Parses a template.
pub(super) fn parse(pieces: Vec<Piece>) -> Result<Vec<Node>, String> {
    let variables = VARIABLES.map(str::to_owned).to_vec();
    let mut parser = Parser { pieces: pieces.into_iter(), variables, depth: 0 };
    match parser.nodes()? {
        (nodes, None) => Ok(nodes),
        (_, Some(_)) => Err("unexpected {{else}} or {{end}}".to_owned()),
    }
}

struct Parser {
    pieces: std::vec::IntoIter<Piece>,
    variables: Vec<String>,
    depth: usize,
}

/// What ends a block: `end`, or `else` and what follows it.
type Ending = Option<Vec<Token>>;

impl Parser {
    fn nodes(&mut self) -> Result<(Vec<Node>, Option<Ending>), String> {
        let mut nodes = Vec::new();
        while let Some(piece) = self.pieces.next() {
            let tokens = match piece {
                Piece::Text(text) => {
                    nodes.push(Node::Text(text));
                    continue;
                }
                Piece::Action(tokens) => tokens,
            };
            let rest = || tokens[1..].to_vec();
            match tokens.first() {
                Some(Token::Word(word)) if word == "end" => return Ok((nodes, Some(None))),
                Some(Token::Word(word)) if word == "else" => {
                    return Ok((nodes, Some(Some(rest()))));
                }
                Some(Token::Word(word)) if ["if", "with", "range"].contains(&&**word) => {
                    nodes.push(self.block(word, rest())?);
                }
                _ => nodes.push(Node::Action(self.pipeline(tokens, false)?)),
            }
        }
        Ok((nodes, None))
    }

    fn block(&mut self, word: &str, head: Vec<Token>) -> Result<Node, String> {
        self.deeper()?;
        let outside = self.variables.len();
        let head = self.pipeline(head, word == "range")?;
        let (then, ending) = self.nodes()?;
        let otherwise = match ending {
            None => return Err(format!("{{{{{word}}}}} has no {{{{end}}}}")),
            Some(None) => vec![],
            Some(Some(rest)) => self.otherwise(word, rest)?,
        };
        self.variables.truncate(outside);
        self.depth -= 1;
        let branches = Branches { head, then, otherwise };
        Ok(match word {
            "if" => Node::If(branches),
            "with" => Node::With(branches),
            _ => Node::Range(branches),
        })
    }

    /// What follows `else`, with its `end`; `else if` ends together with its own block.
    fn otherwise(&mut self, word: &str, rest: Vec<Token>) -> Result<Vec<Node>, String> {
        match rest.first() {
            None => match self.nodes()? {
                (nodes, Some(None)) => Ok(nodes),
                _ => Err(format!("the {{{{else}}}} of {{{{{word}}}}} has no {{{{end}}}}")),
            },
            Some(Token::Word(next)) if next == word && word != "range" => {
                Ok(vec![self.block(word, rest[1..].to_vec())?])
            }
            Some(_) => Err("expected {{else}}, or {{else if}} within {{if}}".to_owned()),
        }
    }

    fn deeper(&mut self) -> Result<(), String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(format!("more than {MAX_DEPTH} blocks or parentheses within each other"));
        }
        Ok(())
    }

    /// Parses a whole action; `range` may have two variables.
    fn pipeline(&mut self, tokens: Vec<Token>, of_range: bool) -> Result<Pipeline, String> {
        let mut tokens = Tokens { tokens, place: 0 };
        let (targets, declares) = tokens.targets(of_range)?;
        if !declares
            && let Some(unknown) = targets.iter().find(|name| !self.variables.contains(name))
        {
            return Err(format!("undefined variable \"${unknown}\""));
        }
        let commands = self.commands(&mut tokens)?;
        if let Some(token) = tokens.peek() {
            return Err(format!("unexpected {}", shown(token)));
        }
        if declares {
            self.variables.extend(targets.clone());
        }
        Ok(Pipeline { targets, declares, commands })
    }

    fn commands(&mut self, tokens: &mut Tokens) -> Result<Vec<Command>, String> {
        let mut commands = Vec::new();
        loop {
            let operands = self.operands(tokens)?;
            commands.push(command(operands, !commands.is_empty())?);
            if !tokens.take("|") {
                return Ok(commands);
            }
        }
    }

    fn operands(&mut self, tokens: &mut Tokens) -> Result<Vec<Operand>, String> {
        let mut operands = Vec::new();
        while let Some(token) = tokens.peek().cloned() {
            let mut fields = Vec::new();
            let source = match token {
                Token::Symbol("(") => {
                    tokens.place += 1;
                    self.deeper()?;
                    let commands = self.commands(tokens)?;
                    self.depth -= 1;
                    if tokens.peek() != Some(&Token::Symbol(")")) {
                        return Err("a parenthesis has no end".to_owned());
                    }
                    Source::Pipeline(Box::new(Pipeline {
                        targets: vec![],
                        declares: false,
                        commands,
                    }))
                }
                Token::Symbol(_) => break,
                Token::Dot => Source::Dot,
                Token::Field { name, .. } => {
                    fields.push(name);
                    Source::Dot
                }
                Token::Literal(value) => Source::Literal(value),
                Token::Variable(name) if self.variables.contains(&name) => Source::Variable(name),
                Token::Variable(name) => return Err(format!("undefined variable \"${name}\"")),
                Token::Word(word) => word_source(&word)?,
            };
            tokens.place += 1;
            while let Some(Token::Field { name, glued: true }) = tokens.peek() {
                fields.push(name.clone());
                tokens.place += 1;
            }
            operands.push(Operand { source, fields });
        }
        Ok(operands)
    }
}

fn word_source(word: &str) -> Result<Source, String> {
    match word {
        "true" | "false" => return Ok(Source::Literal(Value::Bool(word == "true"))),
        "nil" => return Ok(Source::Literal(Value::Nil)),
        // The first word of a command; `command` takes it apart.
        "and" => return Ok(Source::Function(&AND)),
        "or" => return Ok(Source::Function(&OR)),
        _ => {}
    }
    match FUNCTIONS.iter().find(|function| function.name == word) {
        Some(function) => Ok(Source::Function(function)),
        None if UNSUPPORTED.contains(&word) => Err(format!("{word:?} is not supported")),
        None => Err(format!("function {word:?} not defined")),
    }
}

static AND: Function = Function {
    name: "and",
    arguments: (1, 100),
    call: |_, _| Err("and needs arguments".to_owned()),
};
static OR: Function =
    Function { name: "or", arguments: (1, 100), call: |_, _| Err("or needs arguments".to_owned()) };

/// A command from its operands; one that is not the first gets another argument.
fn command(mut operands: Vec<Operand>, is_piped: bool) -> Result<Command, String> {
    if operands.is_empty() {
        return Err("a command is missing".to_owned());
    }
    let first = operands.remove(0);
    let Source::Function(function) = first.source else {
        return match (operands.is_empty(), is_piped) {
            (true, false) => Ok(Command::Operand(first)),
            (true, true) => Err("a value cannot follow |; expected a function".to_owned()),
            (false, _) => Err("a value has arguments; expected a function".to_owned()),
        };
    };
    if !first.fields.is_empty() {
        return Err(format!("{} is a function, and has no fields; use parentheses", function.name));
    }
    let (count, (min, max)) = (operands.len() + usize::from(is_piped), function.arguments);
    if count < min || count > max {
        let expected = if min == max { min.to_string() } else { format!("at least {min}") };
        return Err(format!(
            "wrong number of arguments for {}: {count}; expected {expected}",
            function.name
        ));
    }
    if let Some(Source::Literal(literal)) = operands.first_mut().map(|operand| &mut operand.source)
    {
        prepare(function.name, literal)?;
    }
    Ok(match function.name {
        "and" => Command::And(operands),
        "or" => Command::Or(operands),
        _ => Command::Call(function, operands),
    })
}

/// Checks a literal that is the first argument of a function when the file is loaded; a regular expression is compiled once.
fn prepare(function: &str, literal: &mut Value) -> Result<(), String> {
    if let ("reReplaceAll" | "match", Value::Text(text)) = (function, &*literal) {
        *literal = Value::Pattern(Pattern::new(text)?);
    } else if let ("printf", Value::Text(format)) = (function, &*literal) {
        printf::check(format)?;
    }
    Ok(())
}

fn shown(token: &Token) -> String {
    match token {
        Token::Dot => "\".\"".to_owned(),
        Token::Field { name, .. } => format!("\".{name}\""),
        Token::Variable(name) => format!("\"${name}\""),
        Token::Word(word) => format!("{word:?}"),
        Token::Literal(value) => format!("{:?}", value.to_string()),
        Token::Symbol(symbol) => format!("{symbol:?}"),
    }
}

struct Tokens {
    tokens: Vec<Token>,
    place: usize,
}

impl Tokens {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.place)
    }

    fn take(&mut self, symbol: &str) -> bool {
        let is_next = matches!(self.peek(), Some(Token::Symbol(next)) if *next == symbol);
        self.place += usize::from(is_next);
        is_next
    }

    /// The variables before `:=` or `=`, and whether they are new.
    fn targets(&mut self, of_range: bool) -> Result<(Vec<String>, bool), String> {
        let mut targets = Vec::new();
        while let Some(Token::Variable(name)) = self.peek().cloned() {
            self.place += 1;
            targets.push(name);
            if self.take(":=") {
                return Ok((targets, true));
            }
            if self.take("=") {
                return Ok((targets, false));
            }
            if !(of_range && targets.len() == 1 && self.take(",")) {
                break;
            }
        }
        self.place = 0;
        if self.tokens.contains(&Token::Symbol(":=")) {
            return Err("expected a variable before :=".to_owned());
        }
        Ok((vec![], false))
    }
}
