//! Evaluates the tree of a template.

use std::sync::Arc;

use super::{
    Data,
    parser::{Branches, Command, Node, Operand, Pipeline, Source, VARIABLES},
    value::Value,
};

/// The maximum size of what a template writes.
const MAX_OUTPUT: usize = 64 << 10;

/// The maximum of actions that a template evaluates: `range` within `range` would take arbitrarily long.
const MAX_ACTIONS: usize = 100_000;

/// Expands a template.
pub(super) fn expand(nodes: &[Node], data: &Data<'_>) -> Result<String, String> {
    let values = [
        Value::Root,
        Value::Labels(data.labels.clone()),
        Value::Labels(data.external_labels.clone()),
        data.external_url.into(),
        Value::Float(data.value),
    ];
    let variables = VARIABLES.map(str::to_owned).into_iter().zip(values).collect();
    let mut run = Run { data, variables, output: String::new(), actions: 0 };
    run.nodes(nodes, &Value::Root)?;
    Ok(run.output)
}

struct Run<'a> {
    data: &'a Data<'a>,
    variables: Vec<(String, Value)>,
    output: String,
    actions: usize,
}

impl Run<'_> {
    fn nodes(&mut self, nodes: &[Node], dot: &Value) -> Result<(), String> {
        let outside = self.variables.len();
        for node in nodes {
            self.node(node, dot)?;
        }
        self.variables.truncate(outside);
        Ok(())
    }

    fn node(&mut self, node: &Node, dot: &Value) -> Result<(), String> {
        self.actions += 1;
        if self.actions > MAX_ACTIONS {
            return Err(format!("more than {MAX_ACTIONS} actions are evaluated"));
        }
        match node {
            Node::Text(text) => self.write(text),
            Node::Action(pipeline) => {
                let value = self.pipeline(pipeline, dot)?;
                if pipeline.targets.is_empty() { self.write(&value.to_string()) } else { Ok(()) }
            }
            Node::If(branches) => self.conditional(branches, dot, false),
            Node::With(branches) => self.conditional(branches, dot, true),
            Node::Range(branches) => self.range(branches, dot),
        }
    }

    fn write(&mut self, text: &str) -> Result<(), String> {
        if self.output.len() + text.len() > MAX_OUTPUT {
            return Err(format!("the text is longer than {MAX_OUTPUT} bytes"));
        }
        self.output.push_str(text);
        Ok(())
    }

    fn conditional(
        &mut self,
        branches: &Branches,
        dot: &Value,
        sets_dot: bool,
    ) -> Result<(), String> {
        let outside = self.variables.len();
        let value = self.pipeline(&branches.head, dot)?;
        if value.is_true() {
            self.nodes(&branches.then, if sets_dot { &value } else { dot })?;
        } else {
            self.nodes(&branches.otherwise, dot)?;
        }
        self.variables.truncate(outside);
        Ok(())
    }

    fn range(&mut self, branches: &Branches, dot: &Value) -> Result<(), String> {
        let outside = self.variables.len();
        let elements: Vec<(Value, Value)> = match self.commands(&branches.head.commands, dot)? {
            Value::Samples(samples) => (0..)
                .zip(samples.iter())
                .map(|(place, sample)| (Value::Int(place), Value::Sample(Arc::new(sample.clone()))))
                .collect(),
            Value::Labels(labels) => {
                labels.iter().map(|(name, value)| ((&**name).into(), (&**value).into())).collect()
            }
            Value::Nil => vec![],
            other => return Err(format!("range can't iterate over {}", other.kind())),
        };
        if elements.is_empty() {
            return self.nodes(&branches.otherwise, dot);
        }
        for (key, element) in elements {
            match &*branches.head.targets {
                [] => {}
                [value] => self.set(value, element.clone(), branches.head.declares),
                [place, value, ..] => {
                    self.set(place, key, branches.head.declares);
                    self.set(value, element.clone(), branches.head.declares);
                }
            }
            self.nodes(&branches.then, &element)?;
            self.variables.truncate(outside);
        }
        Ok(())
    }

    fn set(&mut self, name: &str, value: Value, declares: bool) {
        let known = self.variables.iter_mut().rev().find(|(known, _)| known == name);
        match known {
            Some((_, known)) if !declares => *known = value,
            _ => self.variables.push((name.to_owned(), value)),
        }
    }

    fn pipeline(&mut self, pipeline: &Pipeline, dot: &Value) -> Result<Value, String> {
        let value = self.commands(&pipeline.commands, dot)?;
        if let Some(name) = pipeline.targets.first() {
            self.set(name, value.clone(), pipeline.declares);
        }
        Ok(value)
    }

    fn commands(&mut self, commands: &[Command], dot: &Value) -> Result<Value, String> {
        let mut piped = None;
        for command in commands {
            piped = Some(self.command(command, dot, piped)?);
        }
        Ok(piped.unwrap_or(Value::Nil))
    }

    fn command(
        &mut self,
        command: &Command,
        dot: &Value,
        piped: Option<Value>,
    ) -> Result<Value, String> {
        match command {
            Command::Operand(operand) => self.operand(operand, dot),
            Command::And(operands) => self.first(operands, dot, piped, false),
            Command::Or(operands) => self.first(operands, dot, piped, true),
            Command::Call(function, operands) => {
                let mut values = Vec::with_capacity(operands.len() + 1);
                for operand in operands {
                    values.push(self.operand(operand, dot)?);
                }
                values.extend(piped);
                let failed = |reason| format!("error calling {}: {reason}", function.name);
                (function.call)(self.data, &values).map_err(failed)
            }
        }
    }

    /// The first value that is true or false as wanted, or the last one; the values after it are not evaluated.
    fn first(
        &mut self,
        operands: &[Operand],
        dot: &Value,
        piped: Option<Value>,
        wanted: bool,
    ) -> Result<Value, String> {
        let mut value = Value::Nil;
        for operand in operands {
            value = self.operand(operand, dot)?;
            if value.is_true() == wanted {
                return Ok(value);
            }
        }
        Ok(piped.unwrap_or(value))
    }

    fn operand(&mut self, operand: &Operand, dot: &Value) -> Result<Value, String> {
        let mut value = match &operand.source {
            Source::Dot => dot.clone(),
            Source::Literal(value) => value.clone(),
            Source::Variable(name) => {
                let known = self.variables.iter().rev().find(|(known, _)| known == name);
                known.map_or(Value::Nil, |(_, value)| value.clone())
            }
            Source::Function(function) => (function.call)(self.data, &[])
                .map_err(|reason| format!("error calling {}: {reason}", function.name))?,
            Source::Pipeline(pipeline) => self.commands(&pipeline.commands, dot)?,
        };
        for name in &operand.fields {
            value = self.field(&value, name)?;
        }
        Ok(value)
    }

    fn field(&self, value: &Value, name: &str) -> Result<Value, String> {
        match (value, name) {
            (Value::Labels(labels), name) => Ok(labels.get(name).into()),
            (Value::Root, "Labels") => Ok(Value::Labels(self.data.labels.clone())),
            (Value::Root, "ExternalLabels") => Ok(Value::Labels(self.data.external_labels.clone())),
            (Value::Root, "ExternalURL") => Ok(self.data.external_url.into()),
            (Value::Root, "Value") => Ok(Value::Float(self.data.value)),
            (Value::Sample(sample), "Labels") => Ok(Value::Labels(sample.0.clone())),
            (Value::Sample(sample), "Value") => Ok(Value::Float(sample.1)),
            (other, name) => Err(format!("can't evaluate field {name} in {}", other.kind())),
        }
    }
}
