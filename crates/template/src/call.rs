//! Calls of functions in templates: how many arguments, of which kinds, and whom an error is blamed on.

use super::evaluate::{Evaluator, Run};
use super::functions::{FUNCTIONS, Function, Parameter};
use super::syntax::{Operand, OperandKind};
use super::value::Value;

impl Evaluator<'_> {
    /// Calls a function; `last` is the value that the pipe brings, as the last argument.
    pub fn call(
        &mut self,
        name: &str,
        words: &(usize, &impl ToString),
        arguments: &[Operand],
        dot: &Value,
        last: Option<Value>,
    ) -> Run<Value> {
        let Some(function) = FUNCTIONS.iter().find(|function| function.name == name) else {
            return self.fail(format!("{name:?} is not a defined function"));
        };
        self.check_count(function, arguments.len() + usize::from(last.is_some()))?;
        let decides = match name {
            "and" => Some(false),
            "or" => Some(true),
            _ => None,
        };
        let mut values = Vec::with_capacity(arguments.len() + 1);
        for (at, argument) in arguments.iter().enumerate() {
            let value = self.argument(function, at, argument, dot)?;
            if decides == Some(value.is_true()) {
                return Ok(value);
            }
            values.push(value);
        }
        if let Some(last) = last {
            self.check(parameter(function, values.len()), &last)?;
            values.push(last);
        }
        self.handle(&values)?;
        match (function.apply)(self.environment, &values) {
            Ok(value) => {
                self.handle(std::slice::from_ref(&value))?;
                Ok(value)
            }
            Err(message) => {
                self.at(words.0, words.1);
                self.fail(format!("error calling {name}: {message}"))
            }
        }
    }

    fn check_count(&self, function: &Function, count: usize) -> Run<()> {
        let (name, wanted) = (function.name, function.parameters.len());
        if function.variadic.is_some() && count < wanted {
            return self.fail(format!("wrong number of args for {name}: want at least {wanted} got {count}"));
        }
        if function.variadic.is_none() && count != wanted {
            return self.fail(format!("wrong number of args for {name}: want {wanted} got {count}"));
        }
        Ok(())
    }

    fn argument(&mut self, function: &Function, at: usize, argument: &Operand, dot: &Value) -> Run<Value> {
        let wanted = parameter(function, at);
        let value = self.operand(argument, dot)?;
        let is_literal = matches!(
            argument.kind,
            OperandKind::Bool(_) | OperandKind::Number { .. } | OperandKind::String { .. }
        );
        match (wanted, &value) {
            // A literal is blamed by what was written, a value by its type.
            (Parameter::String, value) if is_literal && !matches!(value, Value::String(_)) => {
                self.fail(format!("expected string; found {argument}"))
            }
            (Parameter::Sample | Parameter::Samples, _) if is_literal => {
                self.fail(format!("can't handle {argument} for arg of type {}", type_name(wanted)))
            }
            (_, value) => {
                self.check(wanted, value)?;
                Ok(value.clone())
            }
        }
    }

    fn check(&self, wanted: Parameter, value: &Value) -> Run<()> {
        let fits = match wanted {
            Parameter::Any => true,
            Parameter::String => matches!(value, Value::String(_)),
            Parameter::Sample => matches!(value, Value::Sample(_)),
            Parameter::Samples => matches!(value, Value::Samples(_)),
        };
        if fits {
            return Ok(());
        }
        let wanted = type_name(wanted);
        match value {
            Value::Nil => self.fail(format!("invalid value; expected {wanted}")),
            other => self.fail(format!("wrong type for value; expected {wanted}; got {}", other.type_name())),
        }
    }
}

fn parameter(function: &Function, at: usize) -> Parameter {
    function.parameters.get(at).copied().or(function.variadic).unwrap_or(Parameter::Any)
}

fn type_name(parameter: Parameter) -> &'static str {
    match parameter {
        Parameter::Any => "interface {}",
        Parameter::String => "string",
        Parameter::Sample => "*template.sample",
        Parameter::Samples => "template.queryResult",
    }
}
