//! Functions of one value, such as `abs`.

/// A function of a value and of scalar arguments.
pub(crate) type Math = fn(f64, &[f64]) -> f64;

/// The function with this name.
pub(crate) fn math(name: &str) -> Option<Math> {
    Some(match name {
        "abs" => |value, _| value.abs(),
        _ => return None,
    })
}
