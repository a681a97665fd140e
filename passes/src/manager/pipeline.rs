//! The pipeline as a list of rows that is edited by name and checked.

use std::collections::HashMap;

use larrow_ir::nearest;
use thiserror::Error;

use super::options::Options;
use super::pass::{Body, Pass, Relation};
use super::rewrite::{Hook, HookPoint, Rewriter};

/// A pass at its place in a pipeline.
#[derive(Debug)]
pub struct Row {
    /// The pass.
    pub pass: Pass,
    /// Whether it runs.
    pub enabled: bool,
}

/// What can be wrong with a pipeline or with an edit of one.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum PipelineError {
    /// No row has this name.
    #[error("there is no pass {name}{}", nearest.as_ref().map(|n| format!("; did you mean {n}?")).unwrap_or_default())]
    Unknown {
        /// The name as given.
        name: String,
        /// The name that is probably meant.
        nearest: Option<String>,
    },
    /// No rule has this name.
    #[error("there is no rule {name}{}", nearest.as_ref().map(|n| format!("; did you mean {n}?")).unwrap_or_default())]
    UnknownRule {
        /// The name as given.
        name: String,
        /// The name that is probably meant.
        nearest: Option<String>,
    },
    /// Two rows have one name.
    #[error("two passes are named {0}")]
    Duplicate(String),
    /// A required pass would not run.
    #[error("cannot disable the required pass {0}")]
    Required(String),
    /// Two rows stand the wrong way round.
    #[error("{first} must run before {second}, because {reason}")]
    Order {
        /// The one that must come first.
        first: String,
        /// The one that must come second.
        second: String,
        /// Why.
        reason: String,
    },
    /// A row needs one that is not there, or that is switched off.
    #[error("{pass} needs {needs}, because {reason}; it is {state}")]
    Missing {
        /// The pass that needs another.
        pass: String,
        /// The other.
        needs: String,
        /// Why.
        reason: String,
        /// `not in the pipeline`, `disabled` or `not run under -N`.
        state: &'static str,
    },
}

/// An ordered list of passes.
#[derive(Debug, Default)]
pub struct Pipeline {
    rows: Vec<Row>,
}

impl Pipeline {
    /// A pipeline of these passes, in order.
    pub fn new(passes: impl IntoIterator<Item = Pass>) -> Pipeline {
        let mut pipeline = Pipeline::default();
        pipeline.extend(passes);
        pipeline
    }

    /// The rows in order.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }
    /// The names of the rows in order.
    pub fn names(&self) -> impl Iterator<Item = &str> + '_ {
        self.rows.iter().map(|row| &*row.pass.name)
    }
    /// The pass of a name.
    pub fn get(&self, name: &str) -> Option<&Pass> {
        self.rows.iter().map(|row| &row.pass).find(|p| p.name == name)
    }
    /// The place of a name; the error carries the nearest name.
    pub fn position(&self, name: &str) -> Result<usize, PipelineError> {
        self.names().position(|n| n == name).ok_or_else(|| PipelineError::Unknown {
            name: name.to_string(),
            nearest: nearest(name, self.names()).map(str::to_string),
        })
    }

    /// Appends a pass.
    pub fn push(&mut self, pass: Pass) {
        self.rows.push(Row { pass, enabled: true });
    }
    /// Appends the row of a hook point, without rewriters.
    pub fn push_hook(&mut self, point: HookPoint) {
        let body = Body::Hook(Hook::new(point));
        self.push(Pass::new(point.name().into(), point.doc().into(), body).required());
    }
    /// Inserts a pass right before the named one.
    pub fn insert_before(&mut self, name: &str, pass: Pass) -> Result<(), PipelineError> {
        let at = self.position(name)?;
        self.insert_at(at, pass)
    }
    /// Inserts a pass right after the named one.
    pub fn insert_after(&mut self, name: &str, pass: Pass) -> Result<(), PipelineError> {
        let at = self.position(name)? + 1;
        self.insert_at(at, pass)
    }
    fn insert_at(&mut self, at: usize, pass: Pass) -> Result<(), PipelineError> {
        if self.get(&pass.name).is_some() {
            return Err(PipelineError::Duplicate(pass.name.to_string()));
        }
        self.rows.insert(at, Row { pass, enabled: true });
        Ok(())
    }
    /// Takes a pass out, required or not.
    pub fn remove(&mut self, name: &str) -> Result<Pass, PipelineError> {
        let at = self.position(name)?;
        Ok(self.rows.remove(at).pass)
    }
    /// Puts another pass in the place of the named one, which is returned.
    pub fn replace(&mut self, name: &str, pass: Pass) -> Result<Pass, PipelineError> {
        let at = self.position(name)?;
        if pass.name != name && self.get(&pass.name).is_some() {
            return Err(PipelineError::Duplicate(pass.name.to_string()));
        }
        Ok(std::mem::replace(&mut self.rows[at], Row { pass, enabled: true }).pass)
    }
    /// Switches a pass off. A required one cannot be.
    pub fn disable(&mut self, name: &str) -> Result<(), PipelineError> {
        let at = self.position(name)?;
        if self.rows[at].pass.required {
            return Err(PipelineError::Required(name.to_string()));
        }
        self.rows[at].enabled = false;
        Ok(())
    }
    /// Registers a rewriter at a hook point. A pipeline without that point has no such row.
    pub fn add_rewriter(
        &mut self,
        point: HookPoint,
        rewriter: Box<dyn Rewriter>,
    ) -> Result<(), PipelineError> {
        let at = self.position(point.name())?;
        match &mut self.rows[at].pass.body {
            Body::Hook(hook) => {
                hook.rewriters.push(rewriter);
                Ok(())
            }
            Body::Function(_) | Body::Module(_) => {
                Err(PipelineError::Unknown { name: point.name().to_string(), nearest: None })
            }
        }
    }

    /// Checks names and constraints; every violation is reported.
    pub fn check(&self) -> Result<(), Vec<PipelineError>> {
        let mut errors = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        for (i, row) in self.rows.iter().enumerate() {
            if places.insert(&row.pass.name, i).is_some() {
                errors.push(PipelineError::Duplicate(row.pass.name.to_string()));
            }
            if row.pass.required && !row.enabled {
                errors.push(PipelineError::Required(row.pass.name.to_string()));
            }
        }
        for (i, row) in self.rows.iter().enumerate().filter(|(_, row)| row.enabled) {
            self.check_row(i, row, &places, &mut errors);
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    fn check_row(&self, i: usize, row: &Row, places: &HashMap<&str, usize>, errors: &mut Vec<PipelineError>) {
        let pass = &row.pass;
        for order in &pass.order {
            let place = places.get(&*order.other).copied();
            if order.relation == Relation::Needs {
                let state = match place.map(|p| &self.rows[p]) {
                    None => Some("not in the pipeline"),
                    Some(other) if !other.enabled => Some("disabled"),
                    Some(other) if pass.required && !other.pass.required => Some("not run under -N"),
                    Some(_) => None,
                };
                if let Some(state) = state {
                    errors.push(PipelineError::Missing {
                        pass: pass.name.to_string(),
                        needs: order.other.to_string(),
                        reason: order.reason.to_string(),
                        state,
                    });
                }
            }
            let Some(place) = place else { continue };
            let (first, second, right) = match order.relation {
                Relation::Before => (&pass.name, &order.other, i < place),
                Relation::After | Relation::Needs => (&order.other, &pass.name, i > place),
            };
            if !right {
                errors.push(PipelineError::Order {
                    first: first.to_string(),
                    second: second.to_string(),
                    reason: order.reason.to_string(),
                });
            }
        }
    }

    /// Whether a row runs under these options.
    pub fn runs(&self, row: &Row, options: &Options) -> bool {
        let empty_hook = matches!(&row.pass.body, Body::Hook(hook) if hook.is_empty());
        row.enabled && !empty_hook && (row.pass.required || !options.required_only)
    }
    /// The names of the rows that run under these options, with a space between: a trace's header.
    pub fn describe(&self, options: &Options) -> String {
        let names: Vec<&str> =
            self.rows.iter().filter(|row| self.runs(row, options)).map(|row| &*row.pass.name).collect();
        names.join(" ")
    }
}

impl Extend<Pass> for Pipeline {
    fn extend<I: IntoIterator<Item = Pass>>(&mut self, passes: I) {
        passes.into_iter().for_each(|pass| self.push(pass));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manager::Changed;
    use larrow_ir::Module;

    fn nothing(name: &'static str) -> Pass {
        Pass::module(name, "does nothing", |_: &mut Module, _: &mut crate::PassCx<'_>| Ok(Changed::No))
    }

    #[test]
    fn edits_go_by_name() {
        let mut p = Pipeline::new([nothing("a"), nothing("c")]);
        p.insert_before("c", nothing("b")).unwrap();
        p.insert_after("c", nothing("d")).unwrap();
        assert_eq!(p.names().collect::<Vec<_>>(), ["a", "b", "c", "d"]);
        assert_eq!(p.insert_after("a", nothing("b")), Err(PipelineError::Duplicate("b".into())));
        assert_eq!(&*p.replace("b", nothing("x")).unwrap().name, "b");
        assert_eq!(&*p.remove("a").unwrap().name, "a");
        assert_eq!(p.names().collect::<Vec<_>>(), ["x", "c", "d"]);
    }

    #[test]
    fn an_unknown_name_gets_the_nearest() {
        let mut p = Pipeline::new([nothing("deadcode"), nothing("mem2reg")]);
        let error = p.disable("dedcode").unwrap_err();
        assert_eq!(error.to_string(), "there is no pass dedcode; did you mean deadcode?");
        assert_eq!(p.remove("regalloc").unwrap_err().to_string(), "there is no pass regalloc");
    }

    #[test]
    fn a_required_pass_stays() {
        let mut p = Pipeline::new([nothing("lower").required(), nothing("opt")]);
        assert_eq!(p.disable("lower").unwrap_err().to_string(), "cannot disable the required pass lower");
        p.disable("opt").unwrap();
        assert_eq!(p.describe(&Options::default()), "lower");
    }

    #[test]
    fn order_violations_carry_their_reason() {
        let p = Pipeline::new([
            nothing("b").after("a", "a makes what b wants"),
            nothing("a").before("b", "b ends what a needs"),
            nothing("c").needs("gone", "it is good"),
            nothing("a"),
        ]);
        let messages: Vec<String> = p.check().unwrap_err().iter().map(ToString::to_string).collect();
        assert_eq!(messages[0], "two passes are named a");
        assert!(messages.contains(&"a must run before b, because a makes what b wants".to_string()));
        assert!(messages.contains(&"a must run before b, because b ends what a needs".to_string()));
        assert!(
            messages.contains(&"c needs gone, because it is good; it is not in the pipeline".to_string())
        );
    }

    #[test]
    fn a_required_pass_cannot_need_one_that_minus_n_leaves_out() {
        let p = Pipeline::new([nothing("a"), nothing("b").required().needs("a", "so")]);
        assert!(p.check().unwrap_err()[0].to_string().contains("not run under -N"));
    }

    #[test]
    fn absent_passes_do_not_constrain() {
        let p = Pipeline::new([nothing("a").after("x", "so").before("y", "so")]);
        assert_eq!(p.check(), Ok(()));
    }
}
