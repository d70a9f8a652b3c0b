//! Runs a parsed template: writes its text, with the messages of Go's text/template where it cannot.

use super::functions::{Environment, HANDLED_MAX};
use super::parser::Tree;
use super::syntax::{Branch, Command, Node, Number, Operand, OperandKind, Pipe};
use super::time;
use super::value::Value;

/// Templates that call templates: far above any use, far below the end of the stack.
const DEPTH_MAX: usize = 50;
/// Of the written text, and of the passes through all ranges: a template is a sentence or a small table.
const LENGTH_MAX: usize = 1 << 20;
const STEPS_MAX: usize = 1 << 20;

/// Why a template wrote nothing: where (`line:column`), which words and the reason.
#[derive(Debug, PartialEq)]
pub struct Failure {
    /// In bytes of the template.
    pub position: usize,
    /// The words as written again.
    pub context: String,
    pub message: String,
}

/// How a list ended.
#[derive(PartialEq)]
enum Flow {
    Next,
    Break,
    Continue,
}

pub type Run<T> = Result<T, Failure>;

/// The text of the template with this value as `.` and `$`.
pub fn evaluate(tree: &Tree, data: Value, environment: &Environment<'_>) -> Run<String> {
    let mut state = Evaluator {
        tree,
        environment,
        variables: vec![("$".to_owned(), data.clone())],
        at: (0, String::new()),
        text: String::new(),
        depth: 0,
        steps: 0,
        handled: 0,
    };
    state.list(&tree.list, &data)?;
    Ok(state.text)
}

/// The state of one run.
pub struct Evaluator<'t> {
    tree: &'t Tree,
    pub environment: &'t Environment<'t>,
    variables: Vec<(String, Value)>,
    /// What an error is blamed on.
    at: (usize, String),
    text: String,
    depth: usize,
    steps: usize,
    /// Bytes that functions were given and gave.
    handled: usize,
}

impl Evaluator<'_> {
    pub fn fail<T>(&self, message: impl Into<String>) -> Run<T> {
        Err(Failure { position: self.at.0, context: self.at.1.clone(), message: message.into() })
    }

    pub fn at(&mut self, position: usize, words: &impl ToString) {
        self.at = (position, words.to_string());
    }

    /// Counts values that a function is given or gives: a text that is doubled again and again would fill the memory.
    pub fn handle(&mut self, values: &[Value]) -> Run<()> {
        self.handled += values.iter().map(Value::size_bytes).sum::<usize>();
        if self.handled > HANDLED_MAX {
            return self.fail(format!("functions are given and give more than {HANDLED_MAX} bytes"));
        }
        Ok(())
    }

    fn write(&mut self, text: &str) -> Run<()> {
        if self.text.len() + text.len() > LENGTH_MAX {
            return self.fail(format!("the text is longer than {LENGTH_MAX} bytes"));
        }
        self.text.push_str(text);
        Ok(())
    }

    fn list(&mut self, list: &[Node], dot: &Value) -> Run<Flow> {
        for node in list {
            self.steps += 1;
            if self.steps > STEPS_MAX {
                return self.fail(format!("more than {STEPS_MAX} steps"));
            }
            match node {
                Node::Text(text) => self.write(text)?,
                Node::Action(pipe) => {
                    let value = self.pipe(pipe, dot)?;
                    if pipe.variables.is_empty() {
                        self.write(&value.text())?;
                    }
                }
                Node::Break => return Ok(Flow::Break),
                Node::Continue => return Ok(Flow::Continue),
                Node::Template { position, name, argument } => {
                    self.template(*position, name, argument.as_ref(), dot)?
                }
                Node::If(branch) | Node::With(branch) => {
                    let scope = self.variables.len();
                    let value = self.pipe(&branch.pipe, dot)?;
                    let inner = if matches!(node, Node::With(_)) { &value } else { dot };
                    let flow = if value.is_true() {
                        self.list(&branch.list, inner)?
                    } else {
                        self.list(branch.otherwise.as_deref().unwrap_or_default(), dot)?
                    };
                    self.variables.truncate(scope);
                    if flow != Flow::Next {
                        return Ok(flow);
                    }
                }
                Node::Range(branch) => {
                    let scope = self.variables.len();
                    let flow = self.range(branch, dot)?;
                    self.variables.truncate(scope);
                    if flow != Flow::Next {
                        return Ok(flow);
                    }
                }
            }
        }
        Ok(Flow::Next)
    }

    fn range(&mut self, branch: &Branch, dot: &Value) -> Run<Flow> {
        let value = self.pipe(&branch.pipe, dot)?;
        let items: Vec<(Value, Value)> = match &value {
            Value::Samples(samples) => {
                let items = samples.iter().map(|sample| Value::Sample(sample.clone()));
                items.zip(0..).map(|(item, at)| (Value::Int(at), item)).collect()
            }
            Value::Labels(labels) => labels
                .iter()
                .map(|(name, value)| (Value::String(name.clone()), Value::String(value.clone())))
                .collect(),
            Value::Args(args) => {
                args.iter().map(|(name, value)| (Value::String(name.clone()), value.clone())).collect()
            }
            Value::Nil => Vec::new(),
            other => return self.fail(format!("range can't iterate over {}", other.text())),
        };
        if items.is_empty() {
            return self.list(branch.otherwise.as_deref().unwrap_or_default(), dot);
        }
        let scope = self.variables.len();
        for (key, item) in items {
            match branch.pipe.variables.as_slice() {
                [only] => self.set(only, item.clone(), branch.pipe.assigns)?,
                [first, second] => {
                    self.set(first, key, branch.pipe.assigns)?;
                    self.set(second, item.clone(), branch.pipe.assigns)?;
                }
                _ => {}
            }
            let flow = self.list(&branch.list, &item)?;
            self.variables.truncate(scope);
            if flow == Flow::Break {
                break;
            }
        }
        Ok(Flow::Next)
    }

    fn template(&mut self, position: usize, name: &str, argument: Option<&Pipe>, dot: &Value) -> Run<()> {
        self.at(position, &format!("{{{{template {name:?}}}}}"));
        let Some(list) = self.tree.definitions.get(name) else {
            return self.fail(format!("template {name:?} not defined"));
        };
        if self.depth == DEPTH_MAX {
            return self.fail(format!("exceeded maximum template depth ({DEPTH_MAX})"));
        }
        let value = argument.map_or(Ok(Value::Nil), |pipe| self.pipe(pipe, dot))?;
        let outer = std::mem::replace(&mut self.variables, vec![("$".to_owned(), value.clone())]);
        self.depth += 1;
        self.list(list, &value)?;
        self.depth -= 1;
        self.variables = outer;
        Ok(())
    }

    /// Declares a variable, or with `assigns` changes the nearest of that name.
    fn set(&mut self, name: &str, value: Value, assigns: bool) -> Run<()> {
        if !assigns {
            self.variables.push((name.to_owned(), value));
            return Ok(());
        }
        match self.variables.iter_mut().rev().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => return self.fail(format!("undefined variable: {name}")),
        }
        Ok(())
    }

    /// The value of the last command; sets the variables, but for those of a `range`, which the caller sets.
    fn pipe(&mut self, pipe: &Pipe, dot: &Value) -> Run<Value> {
        self.at(pipe.position, pipe);
        let mut value = None;
        for command in &pipe.commands {
            value = Some(self.command(command, dot, value)?);
        }
        let value = value.unwrap_or(Value::Nil);
        let iterated = matches!(value, Value::Samples(_) | Value::Labels(_) | Value::Args(_))
            && pipe.variables.len() > 1;
        if !iterated {
            for name in &pipe.variables {
                self.set(name, value.clone(), pipe.assigns)?;
            }
        }
        Ok(value)
    }

    fn command(&mut self, command: &Command, dot: &Value, last: Option<Value>) -> Run<Value> {
        let first = &command.operands[0];
        let arguments = &command.operands[1..];
        match &first.kind {
            OperandKind::Identifier(name) => {
                self.at(first.position, first);
                return self.call(name, &(command.position, command), arguments, dot, last);
            }
            OperandKind::Field(fields) => {
                self.at(first.position, first);
                return self.fields(dot.clone(), fields, arguments, dot, last);
            }
            OperandKind::Variable(name, fields) => {
                self.at(first.position, first);
                let value = self.variable(name)?;
                if !fields.is_empty() {
                    return self.fields(value, fields, arguments, dot, last);
                }
                if !arguments.is_empty() || last.is_some() {
                    return self.fail(format!("can't give argument to non-function {first}"));
                }
                return Ok(value);
            }
            OperandKind::Chain(operand, fields) => {
                self.at(first.position, first);
                let value = self.operand(operand, dot)?;
                return self.fields(value, fields, arguments, dot, last);
            }
            _ => {}
        }
        self.at(first.position, first);
        if !arguments.is_empty() || last.is_some() {
            return self.fail(format!("can't give argument to non-function {first}"));
        }
        if first.kind == OperandKind::Nil {
            return self.fail("nil is not a command");
        }
        self.operand(first, dot)
    }

    fn variable(&self, name: &str) -> Run<Value> {
        match self.variables.iter().rev().find(|(known, _)| known == name) {
            Some((_, value)) => Ok(value.clone()),
            None => self.fail(format!("undefined variable: {name}")),
        }
    }

    /// The value of one word.
    pub fn operand(&mut self, operand: &Operand, dot: &Value) -> Run<Value> {
        self.at(operand.position, operand);
        match &operand.kind {
            OperandKind::Dot => Ok(dot.clone()),
            OperandKind::Nil => Ok(Value::Nil),
            OperandKind::Bool(value) => Ok(Value::Bool(*value)),
            OperandKind::Number { number: Number::Int(value), .. } => Ok(Value::Int(*value)),
            OperandKind::Number { number: Number::Float(value), .. } => Ok(Value::Float(*value)),
            OperandKind::String { text, .. } => Ok(Value::String(text.clone())),
            OperandKind::Identifier(name) => self.call(name, &(operand.position, operand), &[], dot, None),
            OperandKind::Field(fields) => self.fields(dot.clone(), fields, &[], dot, None),
            OperandKind::Variable(name, fields) => {
                let value = self.variable(name)?;
                self.fields(value, fields, &[], dot, None)
            }
            OperandKind::Pipe(pipe) => self.pipe(pipe, dot),
            OperandKind::Chain(inner, fields) => {
                let value = self.operand(inner, dot)?;
                self.fields(value, fields, &[], dot, None)
            }
        }
    }

    /// `value.a.b`; the last name may be a method and take arguments.
    fn fields(
        &mut self,
        value: Value,
        fields: &[String],
        arguments: &[Operand],
        dot: &Value,
        last: Option<Value>,
    ) -> Run<Value> {
        let mut value = value;
        for (at, name) in fields.iter().enumerate() {
            let is_last = at + 1 == fields.len();
            let mut values = Vec::new();
            if is_last {
                let blame = self.at.clone();
                for argument in arguments {
                    values.push(self.operand(argument, dot)?);
                }
                values.extend(last.clone());
                self.at = blame;
            }
            value = self.field(&value, name, &values)?;
        }
        Ok(value)
    }

    fn field(&self, value: &Value, name: &str, arguments: &[Value]) -> Run<Value> {
        let found = match (value, name) {
            (Value::Time(ms), _) => match time::method(*ms, name, arguments) {
                Some(Ok(value)) => return Ok(value),
                Some(Err(message)) => return self.fail(message),
                None => None,
            },
            (Value::Labels(labels), _) => Some(Value::String(labels.get(name).cloned().unwrap_or_default())),
            (Value::Args(args), _) => Some(args.get(name).cloned().unwrap_or(Value::Nil)),
            (Value::Data(data), "Labels") => Some(Value::Labels(data.labels.clone())),
            (Value::Data(data), "ExternalLabels") => Some(Value::Labels(data.external_labels.clone())),
            (Value::Data(data), "ExternalURL") => Some(Value::String(data.external_url.clone())),
            (Value::Data(data), "Value") => Some(data.value_or_histogram()),
            (Value::Sample(sample), "Labels") => Some(Value::Labels(sample.labels.clone().into())),
            (Value::Sample(sample), "Value") => Some(Value::Float(sample.value)),
            (Value::Nil, _) => return self.fail(format!("nil data; no entry for key {name:?}")),
            _ => None,
        };
        match found {
            Some(_) if !arguments.is_empty() && matches!(value, Value::Labels(_) | Value::Args(_)) => {
                self.fail(format!("{name} is not a method but has arguments"))
            }
            Some(_) if !arguments.is_empty() => {
                self.fail(format!("{name} has arguments but cannot be invoked as function"))
            }
            Some(found) => Ok(found),
            None => {
                let kind = value.type_name();
                self.fail(format!("can't evaluate field {name} in type {kind}"))
            }
        }
    }
}
