//! Integrands in WGSL: the user's text among ours.

use std::collections::HashSet;

use crate::{Error, Result};

/// The user's text, its parameters, whose values lie in the uniform from place `first` on, and `evaluate` that calls its `integrand`.
pub(super) fn called(source: &str, parameters: &[(String, f64)], first: usize, dimensions: usize) -> String {
    let join = |each: &dyn Fn(usize) -> String| (0..dimensions).map(each).collect::<Vec<_>>().join(", ");
    let (words, arguments) = (join(&|d| format!("x{d}: u32")), join(&|d| format!("bitcast<f32>(x{d})")));
    let mut text = String::new();
    let mut set = String::new();
    for (place, (name, _)) in parameters.iter().enumerate() {
        text += &format!("var<private> {name}: f32;\n");
        set += &format!("    {name} = bitcast<f32>(value({}u));\n", first + place);
    }
    text + &format!("{source}\nfn evaluate({words}) -> u32 {{\n{set}    return bitcast<u32>(integrand({arguments}));\n}}\n")
}

/// Fails if the user's text or its parameters take a name that the text around has or calls.
pub(super) fn check_names(source: &str, parameters: &[(String, f64)], around: &str) -> Result<()> {
    let (own, taken) = (Names::of(source), Names::of(around));
    let clash = |name: &str| {
        let used = taken.declared.contains(name) || taken.called.contains(name);
        if !used || name == "integrand" {
            return Ok(());
        }
        let got = format!("the name `{name}`, which the shader around it uses");
        Err(Error::invalid("integrand in WGSL", got, format!("another name, such as `my_{name}`")))
    };
    let mut declared: Vec<_> = own.declared.iter().copied().collect();
    declared.sort_unstable();
    declared.into_iter().try_for_each(clash)?;
    for (name, _) in parameters {
        clash(name)?;
        if own.declared.contains(name.as_str()) {
            let got = format!("the parameter `{name}`, whose name the text declares");
            return Err(Error::invalid("integrand in WGSL", got, "another name for one of them"));
        }
    }
    Ok(())
}

/// Names in a text.
struct Names<'a> {
    /// Declared outside of functions.
    declared: HashSet<&'a str>,
    /// Called, or given types.
    called: HashSet<&'a str>,
}

impl<'a> Names<'a> {
    fn of(text: &'a str) -> Self {
        let (mut declared, mut called) = (HashSet::new(), HashSet::new());
        let (mut depth, mut declares) = (0i32, false);
        let mut tokens = Tokens(text).peekable();
        while let Some(token) = tokens.next() {
            match token {
                "{" | "(" => depth += 1,
                "}" | ")" => depth -= 1,
                // `var<private> x`.
                "<" if declares => while tokens.next().is_some_and(|token| token != ">") {},
                name if is_name(name) => {
                    if matches!(tokens.peek(), Some(&("(" | "<"))) && !declares {
                        called.insert(name);
                    }
                    if declares {
                        declared.insert(name);
                    }
                    declares = depth == 0 && matches!(name, "fn" | "struct" | "alias" | "const" | "override" | "var");
                }
                _ => {}
            }
        }
        Self { declared, called }
    }
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Words, and single other characters; comments and blanks left out.
struct Tokens<'a>(&'a str);

impl<'a> Iterator for Tokens<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        loop {
            self.0 = self.0.trim_start();
            if self.0.starts_with("//") {
                self.0 = self.0.split_once('\n').map_or("", |(_, rest)| rest);
            } else if self.0.starts_with("/*") {
                self.0 = after_comment(self.0);
            } else {
                break;
            }
        }
        let word = self.0.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(self.0.len());
        let len = if word > 0 { word } else { self.0.chars().next()?.len_utf8() };
        let (token, rest) = self.0.split_at(len);
        self.0 = rest;
        Some(token)
    }
}

/// What follows a block comment; they nest.
fn after_comment(text: &str) -> &str {
    let (mut depth, mut rest) = (0, text);
    while let Some(at) = rest.find(['/', '*']) {
        let found = &rest[at..];
        let step = match () {
            _ if found.starts_with("/*") => 1,
            _ if found.starts_with("*/") => -1,
            _ => 0,
        };
        depth += step;
        rest = &found[if step == 0 { 1 } else { 2 }..];
        if depth == 0 {
            return rest;
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_taken_are_told() {
        let around =
            "struct Params { keys: u32 }\nvar<workgroup> digits: array<i32, 4>;\nfn square(m: u32) -> u32 { return min(m, 1u); }";
        let check = |source: &str, parameters: &[&str]| {
            let parameters: Vec<_> = parameters.iter().map(|name| (name.to_string(), 1.0)).collect();
            check_names(source, &parameters, around).map_err(|error| error.to_string())
        };
        let integrand = "fn integrand(square: f32) -> f32 { let min = square; return min; }";
        assert_eq!(check(integrand, &["keys", "m"]), Ok(()));
        let wrong = [
            ("fn square(x: f32) -> f32 { return x; }", "`square`"),
            ("/* a /* nested */ comment */ fn // here\n square(x: f32) -> f32 { return x; }", "`square`"),
            ("struct Params { a: f32 }", "`Params`"),
            ("var<private> digits: f32;", "`digits`"),
            ("const digits = 3.0;", "`digits`"),
            ("fn min(a: f32, b: f32) -> f32 { return a; }", "`min`"),
        ];
        for (text, name) in wrong {
            let error = check(&format!("{text}\n{integrand}"), &[]).unwrap_err();
            assert!(error.contains(name) && error.contains("`my_"), "{error}");
        }
        assert!(check(integrand, &["digits"]).unwrap_err().contains("`digits`"));
        let error = check(&format!("const a = 1.0; {integrand}"), &["a"]).unwrap_err();
        assert!(error.contains("the parameter `a`"), "{error}");
        for text in ["// fn square", "/* fn square */", "fn square2() {}", "/* never closed fn square", "é*/"] {
            assert_eq!(check(text, &[]), Ok(()), "{text}");
        }
    }
}
