//! Functions of one value, such as `abs`.

/// A function of a value and of scalar arguments.
pub(crate) type Math = fn(f64, &[f64]) -> f64;

/// The function with this name. A `clamp` whose greatest value is below its least one selects nothing: the evaluator answers it.
pub(crate) fn math(name: &str) -> Option<Math> {
    Some(match name {
        "abs" => |value, _| value.abs(),
        "ceil" => |value, _| value.ceil(),
        "floor" => |value, _| value.floor(),
        "exp" => |value, _| value.exp(),
        "sqrt" => |value, _| value.sqrt(),
        "ln" => |value, _| value.ln(),
        "log2" => |value, _| value.log2(),
        "log10" => |value, _| value.log10(),
        "round" => round,
        "sgn" => |value, _| {
            if value > 0.0 {
                1.0
            } else if value < 0.0 {
                -1.0
            } else {
                value
            }
        },
        "clamp" => |value, args| clamp(value, argument(args, 0), argument(args, 1)),
        "clamp_min" => |value, args| clamp(value, argument(args, 0), f64::INFINITY),
        "clamp_max" => |value, args| clamp(value, f64::NEG_INFINITY, argument(args, 0)),
        "deg" => |value, _| value * 180.0 / std::f64::consts::PI,
        "rad" => |value, _| value * std::f64::consts::PI / 180.0,
        _ => return trigonometric(name),
    })
}

fn trigonometric(name: &str) -> Option<Math> {
    Some(match name {
        "sin" => |value, _| value.sin(),
        "cos" => |value, _| value.cos(),
        "tan" => |value, _| value.tan(),
        "asin" => |value, _| value.asin(),
        "acos" => |value, _| value.acos(),
        "atan" => |value, _| value.atan(),
        "sinh" => |value, _| sinh(value),
        "cosh" => |value, _| cosh(value),
        "tanh" => |value, _| value.tanh(),
        "asinh" => |value, _| asinh(value),
        "acosh" => |value, _| acosh(value),
        "atanh" => |value, _| value.atanh(),
        _ => return None,
    })
}

/// From here on, Go computes `sinh` and `cosh` as half of `exp`, which is infinite a little earlier.
const ONLY_EXP: f64 = 21.0;

/// From here on, the inverse functions are the logarithm of twice the value, which itself may be infinite.
const ONLY_LN: f64 = (1_u32 << 28) as f64;

fn sinh(value: f64) -> f64 {
    if value.abs() > ONLY_EXP { (value.abs().exp() * 0.5).copysign(value) } else { value.sinh() }
}

fn cosh(value: f64) -> f64 {
    if value.abs() > ONLY_EXP { value.abs().exp() * 0.5 } else { value.cosh() }
}

fn asinh(value: f64) -> f64 {
    if value.abs() > ONLY_LN {
        (value.abs().ln() + std::f64::consts::LN_2).copysign(value)
    } else {
        value.asinh()
    }
}

fn acosh(value: f64) -> f64 {
    if value > ONLY_LN { value.ln() + std::f64::consts::LN_2 } else { value.acosh() }
}

/// An argument; the parser has checked how many there are.
fn argument(args: &[f64], place: usize) -> f64 {
    args.get(place).copied().unwrap_or(f64::NAN)
}

/// The nearest multiple, the greater one of two equally near. Prometheus multiplies by the inverse, because that loses less.
fn round(value: f64, args: &[f64]) -> f64 {
    let inverse = 1.0 / args.first().copied().unwrap_or(1.0);
    (value * inverse + 0.5).floor() / inverse
}

pub(crate) fn clamp(value: f64, least: f64, greatest: f64) -> f64 {
    max(least, min(greatest, value))
}

/// The greater one; NaN beside anything but infinity is NaN, whereas [`f64::max`] ignores it.
fn max(a: f64, b: f64) -> f64 {
    if a == f64::INFINITY || b == f64::INFINITY {
        return f64::INFINITY;
    }
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }
}

fn min(a: f64, b: f64) -> f64 {
    -max(-a, -b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hyperbolic_functions_are_infinite_where_they_are_in_go() {
        let call = |name: &str, value: f64| math(name).unwrap()(value, &[]);
        assert!((call("asinh", -1e308) + 709.889_355_822_725_9).abs() < 1e-9);
        assert!((call("acosh", 1e308) - 709.889_355_822_725_9).abs() < 1e-9);
        assert_eq!(call("sinh", -710.0), f64::NEG_INFINITY);
        assert_eq!(call("cosh", -710.0), f64::INFINITY);
        assert_eq!(call("asinh", f64::NEG_INFINITY), f64::NEG_INFINITY);
        for (name, inverse) in [("sinh", "asinh"), ("cosh", "acosh")] {
            for value in [0.5, 20.9, 21.1, 300.0] {
                assert!((call(inverse, call(name, value)) - value).abs() < 1e-9, "{name} {value}");
            }
        }
    }

    fn of(name: &str, value: f64, args: &[f64]) -> f64 {
        math(name).unwrap()(value, args)
    }

    #[test]
    fn ties_are_rounded_up() {
        assert_eq!(of("round", 2.5, &[]), 3.0);
        assert_eq!(of("round", -2.5, &[]), -2.0);
        assert_eq!(of("round", 123.456, &[0.1]), 123.5);
        assert_eq!(of("round", 17.0, &[5.0]), 15.0);
        assert!(of("round", 1.0, &[0.0]).is_nan());
    }

    #[test]
    fn a_clamped_nan_stays_nan() {
        assert_eq!(of("clamp", 7.0, &[0.0, 5.0]), 5.0);
        assert_eq!(of("clamp_min", -7.0, &[0.0]), 0.0);
        assert_eq!(of("clamp_max", 7.0, &[0.0]), 0.0);
        assert!(of("clamp", f64::NAN, &[0.0, 5.0]).is_nan());
        assert!(of("clamp_max", 1.0, &[f64::NAN]).is_nan());
    }

    #[test]
    fn the_sign_of_nan_is_nan() {
        assert!(of("sgn", f64::NAN, &[]).is_nan());
        assert_eq!(of("sgn", -0.1, &[]), -1.0);
        assert_eq!(of("sgn", 0.0, &[]), 0.0);
    }

    #[test]
    fn logarithms_and_angles() {
        assert_eq!(of("log2", 8.0, &[]), 3.0);
        assert_eq!(of("ln", 0.0, &[]), f64::NEG_INFINITY);
        assert!(of("sqrt", -1.0, &[]).is_nan());
        assert_eq!(of("deg", std::f64::consts::PI, &[]), 180.0);
        assert!((of("cosh", 1.0, &[]) - 1.543_080_634_815_243_7).abs() < 1e-12);
        assert!(math("absent").is_none());
    }
}
