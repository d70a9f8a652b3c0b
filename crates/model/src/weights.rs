//! What rows weigh in a fit, by their class.

use crate::labels::Target;
use crate::settings::{ClassWeight, WeightRule};
use crate::{Error, Task};

/// The weight of each class of the target, or none where all rows weigh the same.
///
/// # Errors
/// [`Error::NotForTask`] of a regression, and [`Error::UnknownClass`].
pub(crate) fn of_classes(
    target: &Target,
    rows: &[usize],
    class_weight: &ClassWeight,
) -> Result<Option<Vec<f64>>, Error> {
    if *class_weight == ClassWeight::Equal {
        return Ok(None);
    }
    let names: Vec<&str> = match target.task {
        Task::Regression => {
            return Err(Error::NotForTask { setting: "class_weight", task: target.task });
        }
        Task::Binary => vec!["false", "true"],
        Task::Multiclass => target.classes.iter().map(String::as_str).collect(),
    };
    match class_weight {
        ClassWeight::Equal => Ok(None),
        ClassWeight::Rule(WeightRule::Balanced) => {
            let mut of_class = vec![0_usize; names.len()];
            rows.iter().for_each(|&row| of_class[target.values[row] as usize] += 1);
            let share = |count: usize| rows.len() as f64 / (names.len() as f64 * count.max(1) as f64);
            Ok(Some(of_class.into_iter().map(share).collect()))
        }
        ClassWeight::Of(weights) => {
            if let Some(class) = weights.keys().find(|class| !names.contains(&class.as_str())) {
                return Err(Error::UnknownClass { class: class.clone(), classes: names.join(", ") });
            }
            Ok(Some(names.iter().map(|name| weights.get(*name).copied().unwrap_or(1.0)).collect()))
        }
    }
}

/// The weight of each of these labels, which are places of classes; a class that is none weighs 1.
pub(crate) fn of_labels(labels: &[f64], of_classes: Option<&[f64]>) -> Option<Vec<f64>> {
    let weight = |classes: &[f64], label: f64| {
        if label.is_nan() { 1.0 } else { classes.get(label as usize).copied().unwrap_or(1.0) }
    };
    of_classes.map(|classes| labels.iter().map(|label| weight(classes, *label)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Labels, MISSING};

    #[test]
    fn balanced_weights_are_those_of_scikit_learn() {
        // sklearn.utils.class_weight.compute_class_weight("balanced", classes=[0, 1, 2], y=[0, 0, 0, 1, 1, 2])
        let classes = ["a", "b", "c"].map(str::to_owned).to_vec();
        let labels = Labels::Multiclass { codes: vec![0, 0, 0, 1, 1, 2, MISSING], classes };
        let rows: Vec<usize> = (0..6).collect();
        let target = Target::of_training(&labels, &rows);
        let balanced = ClassWeight::Rule(WeightRule::Balanced);
        let found = of_classes(&target, &rows, &balanced).unwrap().unwrap();
        assert_eq!(found, [6.0 / 9.0, 1.0, 2.0]);
        assert_eq!(of_labels(&[2.0, 0.0, f64::NAN], Some(&found)), Some(vec![2.0, 6.0 / 9.0, 1.0]));
        let own = ClassWeight::Of([("b".to_owned(), 4.0)].into());
        assert_eq!(of_classes(&target, &rows, &own).unwrap(), Some(vec![1.0, 4.0, 1.0]));
        let unknown = ClassWeight::Of([("d".to_owned(), 4.0)].into());
        assert_eq!(
            of_classes(&target, &rows, &unknown).unwrap_err().to_string(),
            "class_weight names the class \"d\"; expected one of those of the training rows: a, b, c"
        );
        let numbers = Target::of_training(&Labels::Regression(vec![1.0]), &[0]);
        assert_eq!(
            of_classes(&numbers, &[0], &balanced).unwrap_err().to_string(),
            "class_weight is set, and is not for a regression; leave it out, or change dataset.label.task"
        );
    }
}
