//! The syntax tree of a template, and the text of its nodes as error messages quote them.

use std::fmt::{self, Display, Formatter};

/// What stands one after another.
pub type List = Vec<Node>;

/// A piece of a template that writes, decides or repeats.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    Text(String),
    /// `{{ pipeline }}`
    Action(Pipe),
    If(Branch),
    With(Branch),
    Range(Branch),
    Break,
    Continue,
    /// `{{ template "name" pipeline }}`
    Template {
        position: usize,
        name: String,
        argument: Option<Pipe>,
    },
}

/// `{{ if pipeline }} list {{ else }} otherwise {{ end }}`
#[derive(Debug, Clone, PartialEq)]
pub struct Branch {
    pub pipe: Pipe,
    pub list: List,
    pub otherwise: Option<List>,
}

/// `$variable := command | command`
#[derive(Debug, Clone, PartialEq)]
pub struct Pipe {
    pub position: usize,
    /// Names with their `$`.
    pub variables: Vec<String>,
    /// `=` rather than `:=`.
    pub assigns: bool,
    pub commands: Vec<Command>,
}

/// A function and its arguments, or one value.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    pub position: usize,
    /// At least one.
    pub operands: Vec<Operand>,
}

/// A word of a command.
#[derive(Debug, Clone, PartialEq)]
pub struct Operand {
    pub position: usize,
    pub kind: OperandKind,
}

/// What a word is.
#[derive(Debug, Clone, PartialEq)]
pub enum OperandKind {
    Dot,
    Nil,
    Bool(bool),
    Number {
        text: String,
        number: Number,
    },
    String {
        quoted: String,
        text: String,
    },
    /// The name of a function.
    Identifier(String),
    /// `.a.b`
    Field(Vec<String>),
    /// `$x.a.b`: the name with its `$`, then fields.
    Variable(String, Vec<String>),
    Pipe(Box<Pipe>),
    /// `(pipeline).a.b`
    Chain(Box<Operand>, Vec<String>),
}

/// A literal number: whole unless written with a point or an exponent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    Int(i64),
    Float(f64),
}

fn write_fields(f: &mut Formatter<'_>, fields: &[String]) -> fmt::Result {
    fields.iter().try_for_each(|field| write!(f, ".{field}"))
}

impl Display for Operand {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            OperandKind::Dot => f.write_str("."),
            OperandKind::Nil => f.write_str("nil"),
            OperandKind::Bool(value) => write!(f, "{value}"),
            OperandKind::Number { text, .. } => f.write_str(text),
            OperandKind::String { quoted, .. } => f.write_str(quoted),
            OperandKind::Identifier(name) => f.write_str(name),
            OperandKind::Field(fields) => write_fields(f, fields),
            OperandKind::Variable(name, fields) => {
                f.write_str(name)?;
                write_fields(f, fields)
            }
            OperandKind::Pipe(pipe) => write!(f, "({pipe})"),
            OperandKind::Chain(operand, fields) => {
                write!(f, "{operand}")?;
                write_fields(f, fields)
            }
        }
    }
}

impl Display for Command {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (at, operand) in self.operands.iter().enumerate() {
            let space = if at == 0 { "" } else { " " };
            write!(f, "{space}{operand}")?;
        }
        Ok(())
    }
}

impl Display for Pipe {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if !self.variables.is_empty() {
            write!(f, "{} {} ", self.variables.join(", "), if self.assigns { "=" } else { ":=" })?;
        }
        for (at, command) in self.commands.iter().enumerate() {
            let bar = if at == 0 { "" } else { " | " };
            write!(f, "{bar}{command}")?;
        }
        Ok(())
    }
}
