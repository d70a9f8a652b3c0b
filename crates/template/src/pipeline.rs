//! Parses what stands between the braces: pipelines of commands, their operands and variables.

use super::functions::FUNCTIONS;
use super::lexer::{Kind, Token};
use super::literal;
use super::parser::{Parsed, Parser, unexpected};
use super::syntax::{Command, Operand, OperandKind, Pipe};

impl Parser {
    pub fn pipeline(&mut self, context: &str, end: Kind) -> Parsed<Pipe> {
        let position = self.peek_word().position;
        let mut pipe = Pipe { position, variables: Vec::new(), assigns: false, commands: Vec::new() };
        self.declarations(&mut pipe, context)?;
        loop {
            let token = self.peek_word().clone();
            match token.kind {
                kind if kind == end => {
                    self.next += 1;
                    check_pipeline(&pipe, context)?;
                    return Ok(pipe);
                }
                _ if starts_operand(&token) => pipe.commands.push(self.command()?),
                _ => {
                    self.next += 1;
                    return Err(unexpected(&token, context));
                }
            }
        }
    }

    fn declarations(&mut self, pipe: &mut Pipe, context: &str) -> Parsed<()> {
        while self.peek_word().kind == Kind::Variable {
            let start = self.next;
            let variable = self.take().text;
            let mark = self.peek_word().clone();
            match mark.kind {
                Kind::Assign | Kind::Declare => {
                    self.next += 1;
                    pipe.assigns = mark.kind == Kind::Assign;
                    pipe.variables.push(variable.clone());
                    self.variables.push(variable);
                    return Ok(());
                }
                Kind::Char if mark.text == "," => {
                    self.next += 1;
                    pipe.variables.push(variable.clone());
                    self.variables.push(variable);
                    if context != "range" || pipe.variables.len() > 1 {
                        return Err(format!("too many declarations in {context}"));
                    }
                    if self.peek_word().kind != Kind::Variable {
                        return Err("range can only initialize variables".to_owned());
                    }
                }
                _ => {
                    // It was the first word of a command.
                    self.next = start;
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn command(&mut self) -> Parsed<Command> {
        let mut command = Command { position: self.peek_word().position, operands: Vec::new() };
        loop {
            self.skip_space();
            if starts_operand(self.peek()) {
                let operand = self.deeper(Self::operand)?;
                command.operands.push(operand);
            }
            let token = self.take();
            match token.kind {
                Kind::Space => {}
                Kind::RightDelimiter | Kind::RightParenthesis => {
                    self.next -= 1;
                    break;
                }
                Kind::Pipe => break,
                _ => return Err(unexpected(&token, "operand")),
            }
        }
        if command.operands.is_empty() { Err("empty command".to_owned()) } else { Ok(command) }
    }

    fn operand(&mut self) -> Parsed<Operand> {
        let mut operand = self.term()?;
        let position = self.peek().position;
        let mut fields = Vec::new();
        while self.peek().kind == Kind::Field {
            fields.push(self.take().text[1..].to_owned());
        }
        if fields.is_empty() {
            return Ok(operand);
        }
        let kind = match operand.kind {
            OperandKind::Field(mut first) => {
                first.append(&mut fields);
                OperandKind::Field(first)
            }
            OperandKind::Variable(name, _) => OperandKind::Variable(name, fields),
            OperandKind::Pipe(_) | OperandKind::Identifier(_) | OperandKind::Chain(..) => {
                operand = Operand {
                    position,
                    kind: OperandKind::Chain(
                        Box::new(Operand { position: operand.position, kind: operand.kind }),
                        fields,
                    ),
                };
                return Ok(operand);
            }
            _ => return Err(format!("unexpected . after term {:?}", operand.to_string())),
        };
        Ok(Operand { position, kind })
    }

    fn term(&mut self) -> Parsed<Operand> {
        let token = self.take_word();
        let kind = match token.kind {
            Kind::Identifier if FUNCTIONS.iter().all(|function| function.name != token.text) => {
                return Err(format!("function {:?} not defined", token.text));
            }
            Kind::Identifier => OperandKind::Identifier(token.text),
            Kind::Dot => OperandKind::Dot,
            Kind::Keyword if token.text == "nil" => OperandKind::Nil,
            Kind::Variable if !self.variables.contains(&token.text) => {
                return Err(format!("undefined variable {:?}", token.text));
            }
            Kind::Variable => OperandKind::Variable(token.text, Vec::new()),
            Kind::Field => OperandKind::Field(vec![token.text[1..].to_owned()]),
            Kind::Bool => OperandKind::Bool(token.text == "true"),
            Kind::Number => OperandKind::Number { number: literal::number(&token.text)?, text: token.text },
            Kind::CharConstant => {
                OperandKind::Number { number: literal::char(&token.text)?, text: token.text }
            }
            Kind::String | Kind::RawString => {
                OperandKind::String { text: literal::string(&token.text)?, quoted: token.text }
            }
            Kind::LeftParenthesis => {
                OperandKind::Pipe(Box::new(self.pipeline("parenthesized pipeline", Kind::RightParenthesis)?))
            }
            _ => return Err(unexpected(&token, "operand")),
        };
        Ok(Operand { position: token.position, kind })
    }
}

fn starts_operand(token: &Token) -> bool {
    match token.kind {
        Kind::Bool
        | Kind::CharConstant
        | Kind::Dot
        | Kind::Field
        | Kind::Identifier
        | Kind::Number
        | Kind::RawString
        | Kind::String
        | Kind::Variable
        | Kind::LeftParenthesis => true,
        Kind::Keyword => token.text == "nil",
        _ => false,
    }
}

/// A pipeline has a command, and each but the first can take the value of the one before.
fn check_pipeline(pipe: &Pipe, context: &str) -> Parsed<()> {
    if pipe.commands.is_empty() {
        return Err(format!("missing value for {context}"));
    }
    for (stage, command) in pipe.commands.iter().enumerate().skip(1) {
        let first = &command.operands[0].kind;
        if matches!(
            first,
            OperandKind::Bool(_)
                | OperandKind::Dot
                | OperandKind::Nil
                | OperandKind::Number { .. }
                | OperandKind::String { .. }
        ) {
            return Err(format!("non executable command in pipeline stage {}", stage + 1));
        }
    }
    Ok(())
}
