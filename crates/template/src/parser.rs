//! Makes the syntax tree of a template: the grammar of Go's text/template, which Prometheus uses.

use std::collections::BTreeMap;

use super::lexer::{Kind, Token, tokens};
use super::literal;
use super::syntax::{Branch, List, Node, Pipe};

/// A stack frame is a few hundred bytes: deeper than any template of a person, far from the end of the stack.
const DEPTH_MAX: usize = 100;

/// A parsed template: its own list and the ones that it defines by name.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    pub list: List,
    pub definitions: BTreeMap<String, List>,
}

/// # Errors
/// The line (from 1) and the reason, where the text is no template, names an unknown function or variable.
pub fn parse(template: &str) -> Result<Tree, (usize, String)> {
    let mut parser = Parser {
        tokens: tokens(template),
        next: 0,
        variables: vec!["$".to_owned()],
        loops: 0,
        depth: 0,
        definitions: BTreeMap::new(),
    };
    match parser.template() {
        Ok(list) => Ok(Tree { list, definitions: parser.definitions }),
        Err(message) => {
            let at = parser.tokens[parser.next.saturating_sub(1).min(parser.tokens.len() - 1)].position;
            Err((1 + template[..at].matches('\n').count(), message))
        }
    }
}

/// The state of one parse.
pub struct Parser {
    tokens: Vec<Token>,
    /// The place of the next token.
    pub next: usize,
    /// Those in scope, with their `$`.
    pub variables: Vec<String>,
    /// How many `range` are around.
    loops: usize,
    depth: usize,
    definitions: BTreeMap<String, List>,
}

/// How a list ended.
enum ListEnd {
    End,
    Else,
    Eof,
}

pub type Parsed<T> = Result<T, String>;

impl Parser {
    /// The last token is the end or an error and is never passed.
    pub fn peek(&self) -> &Token {
        &self.tokens[self.next.min(self.tokens.len() - 1)]
    }

    pub fn take(&mut self) -> Token {
        let token = self.peek().clone();
        self.next = (self.next + 1).min(self.tokens.len());
        token
    }

    pub fn skip_space(&mut self) {
        while self.peek().kind == Kind::Space {
            self.next += 1;
        }
    }

    pub fn take_word(&mut self) -> Token {
        self.skip_space();
        self.take()
    }

    pub fn peek_word(&mut self) -> &Token {
        self.skip_space();
        self.peek()
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Parsed<Token> {
        let token = self.take_word();
        if token.kind == kind { Ok(token) } else { Err(unexpected(&token, context)) }
    }

    pub fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth == DEPTH_MAX {
            return Err(format!("nested deeper than {DEPTH_MAX} levels"));
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    fn template(&mut self) -> Parsed<List> {
        match self.list()? {
            (list, ListEnd::Eof) => Ok(list),
            (_, ListEnd::End) => Err("unexpected {{end}}".to_owned()),
            (_, ListEnd::Else) => Err("unexpected {{else}}".to_owned()),
        }
    }

    fn list(&mut self) -> Parsed<(List, ListEnd)> {
        let mut list = List::new();
        loop {
            let token = self.take();
            match token.kind {
                Kind::Text => list.push(Node::Text(token.text)),
                Kind::LeftDelimiter => {
                    let word = self.peek_word().clone();
                    match (word.kind, word.text.as_str()) {
                        (Kind::Keyword, "end") => {
                            self.next += 1;
                            self.expect(Kind::RightDelimiter, "end")?;
                            return Ok((list, ListEnd::End));
                        }
                        (Kind::Keyword, "else") => {
                            self.next += 1;
                            return Ok((list, ListEnd::Else));
                        }
                        _ => list.extend(self.deeper(Self::action)?),
                    }
                }
                Kind::End => return Ok((list, ListEnd::Eof)),
                _ => return Err(unexpected(&token, "input")),
            }
        }
    }

    /// After `{{`; a definition makes no node.
    fn action(&mut self) -> Parsed<Option<Node>> {
        let token = self.peek_word().clone();
        if token.kind != Kind::Keyword || token.text == "nil" {
            return Ok(Some(Node::Action(self.pipeline("command", Kind::RightDelimiter)?)));
        }
        self.next += 1;
        let node = match token.text.as_str() {
            "if" => Node::If(self.branch("if")?),
            "with" => Node::With(self.branch("with")?),
            "range" => Node::Range(self.branch("range")?),
            "break" | "continue" => {
                self.expect(Kind::RightDelimiter, &token.text)?;
                if self.loops == 0 {
                    return Err(format!("{{{{{}}}}} outside {{{{range}}}}", token.text));
                }
                if token.text == "break" { Node::Break } else { Node::Continue }
            }
            "define" => {
                let name = self.name("define clause")?;
                self.expect(Kind::RightDelimiter, "define clause")?;
                self.define(name)?;
                return Ok(None);
            }
            "template" => {
                let position = self.peek_word().position;
                let name = self.name("template clause")?;
                let argument = self.argument("template clause")?;
                Node::Template { position, name, argument }
            }
            "block" => {
                let position = self.peek_word().position;
                let name = self.name("block clause")?;
                let argument = Some(self.pipeline("block clause", Kind::RightDelimiter)?);
                self.define(name.clone())?;
                Node::Template { position, name, argument }
            }
            _ => return Err(unexpected(&token, "command")),
        };
        Ok(Some(node))
    }

    fn name(&mut self, context: &str) -> Parsed<String> {
        let token = self.take_word();
        match token.kind {
            Kind::String | Kind::RawString => literal::string(&token.text),
            _ => Err(unexpected(&token, context)),
        }
    }

    fn argument(&mut self, context: &str) -> Parsed<Option<Pipe>> {
        if self.peek_word().kind == Kind::RightDelimiter {
            self.next += 1;
            return Ok(None);
        }
        Ok(Some(self.pipeline(context, Kind::RightDelimiter)?))
    }

    /// The list of a definition, which sees no variable but `$`.
    fn define(&mut self, name: String) -> Parsed<()> {
        let outer = std::mem::replace(&mut self.variables, vec!["$".to_owned()]);
        let loops = std::mem::take(&mut self.loops);
        let (list, ListEnd::End) = self.list()? else {
            return Err("unexpected end in define clause".to_owned());
        };
        (self.variables, self.loops) = (outer, loops);
        // An empty definition does not replace an earlier one.
        let blank = list.iter().all(|node| matches!(node, Node::Text(text) if text.trim().is_empty()));
        if !(blank && self.definitions.contains_key(&name)) {
            self.definitions.insert(name, list);
        }
        Ok(())
    }

    fn branch(&mut self, context: &str) -> Parsed<Branch> {
        let scope = self.variables.len();
        let pipe = self.pipeline(context, Kind::RightDelimiter)?;
        let in_range = usize::from(context == "range");
        self.loops += in_range;
        let (list, end) = self.list()?;
        self.loops -= in_range;
        let otherwise = match end {
            ListEnd::End => None,
            ListEnd::Eof => return Err("unexpected EOF".to_owned()),
            ListEnd::Else => Some(self.otherwise(context)?),
        };
        self.variables.truncate(scope);
        Ok(Branch { pipe, list, otherwise })
    }

    /// After `{{else`: `}} list {{end}}`, or ` if …` that shares this one's end.
    fn otherwise(&mut self, context: &str) -> Parsed<List> {
        let token = self.take_word();
        match (token.kind, token.text.as_str()) {
            (Kind::Keyword, "if") if context == "if" => {
                Ok(vec![Node::If(self.deeper(|parser| parser.branch("if"))?)])
            }
            (Kind::Keyword, "with") if context == "with" => {
                Ok(vec![Node::With(self.deeper(|parser| parser.branch("with"))?)])
            }
            (Kind::RightDelimiter, _) => match self.list()? {
                (list, ListEnd::End) => Ok(list),
                (_, ListEnd::Else) => Err("expected end; found {{else}}".to_owned()),
                (_, ListEnd::Eof) => Err("unexpected EOF".to_owned()),
            },
            _ => Err(unexpected(&token, "else")),
        }
    }
}

/// What is said of a token that does not belong where it stands.
pub fn unexpected(token: &Token, context: &str) -> String {
    match token.kind {
        Kind::Error => token.text.clone(),
        Kind::End => "unexpected EOF".to_owned(),
        Kind::Keyword => format!("unexpected <{}> in {context}", token.text),
        _ => format!("unexpected {:?} in {context}", token.text),
    }
}
