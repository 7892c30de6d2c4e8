//! Functions of a moment, such as `hour`.

/// A function of seconds since the Unix epoch, in UTC.
pub(crate) type Date = fn(f64) -> f64;

/// The function with this name.
pub(crate) fn date(name: &str) -> Option<Date> {
    Some(match name {
        "minute" => |seconds| (Moment::new(seconds).second_of_day / 60 % 60) as f64,
        "hour" => |seconds| (Moment::new(seconds).second_of_day / 3600) as f64,
        // The epoch was a Thursday; the week begins on Sunday.
        "day_of_week" => |seconds| (Moment::new(seconds).day + 4).rem_euclid(7) as f64,
        "day_of_month" => |seconds| Moment::new(seconds).civil().day as f64,
        "day_of_year" => day_of_year,
        "days_in_month" => days_in_month,
        "month" => |seconds| Moment::new(seconds).civil().month as f64,
        "year" => |seconds| Moment::new(seconds).civil().year as f64,
        _ => return None,
    })
}

const SECONDS_OF_DAY: u64 = 86_400;

/// Days from March 1 of the year -292,277,022,400, with which Go's calendar begins, to the Unix epoch. Go counts seconds from there
/// in 64 bits without a sign; a moment before it wraps around to the end of its time.
const DAYS_BEFORE_EPOCH: u64 = 292_277_022_400 / 400 * 146_097 + 306 + 719_162;

struct Moment {
    /// Days since the Unix epoch.
    day: i64,
    second_of_day: u64,
}

struct Civil {
    year: i64,
    month: i64,
    day: i64,
}

impl Moment {
    fn new(seconds: f64) -> Self {
        // The processor's conversion, which Go uses: what does not fit, and NaN, becomes the smallest integer.
        let fits = (-9.223_372_036_854_776e18..9.223_372_036_854_776e18).contains(&seconds);
        let whole = if fits { seconds as i64 } else { i64::MIN };
        let since_beginning =
            (whole as u64).wrapping_add(DAYS_BEFORE_EPOCH.wrapping_mul(SECONDS_OF_DAY));
        let day = (since_beginning / SECONDS_OF_DAY) as i64 - DAYS_BEFORE_EPOCH as i64;
        Self { day, second_of_day: since_beginning % SECONDS_OF_DAY }
    }

    /// The date in the Gregorian calendar. Years are counted from March here, so that a leap day is the last day of its year.
    fn civil(&self) -> Civil {
        /// From March 1 of the year 0 to the Unix epoch.
        const EPOCH: i64 = 719_468;
        /// 400 years repeat.
        const ERA: i64 = 146_097;
        let days = self.day + EPOCH;
        let (era, day_of_era) = (days.div_euclid(ERA), days.rem_euclid(ERA));
        let leap_days = day_of_era / 1460 - day_of_era / 36_524 + day_of_era / 146_096;
        let year_of_era = (day_of_era - leap_days) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * day_of_year + 2) / 153;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        Civil {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month,
            day: day_of_year - (153 * from_march + 2) / 5 + 1,
        }
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn length(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn days_in_month(seconds: f64) -> f64 {
    let date = Moment::new(seconds).civil();
    length(date.year, date.month) as f64
}

fn day_of_year(seconds: f64) -> f64 {
    let date = Moment::new(seconds).civil();
    let before: i64 = (1..date.month).map(|month| length(date.year, month)).sum();
    (before + date.day) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_date(seconds: f64, expected: [f64; 8]) {
        let names = "year month day_of_month hour minute day_of_week day_of_year days_in_month";
        let fields: Vec<_> = names.split(' ').map(|name| date(name).unwrap()(seconds)).collect();
        assert_eq!(fields, expected, "{seconds}");
    }

    #[test]
    fn days_around_leap_years() {
        assert_date(0.0, [1970.0, 1.0, 1.0, 0.0, 0.0, 4.0, 1.0, 31.0]);
        assert_date(-1.0, [1969.0, 12.0, 31.0, 23.0, 59.0, 3.0, 365.0, 31.0]);
        assert_date(1_709_209_799.9, [2024.0, 2.0, 29.0, 12.0, 29.0, 4.0, 60.0, 29.0]);
        assert_date(951_868_799.0, [2000.0, 2.0, 29.0, 23.0, 59.0, 2.0, 60.0, 29.0]);
        assert_date(4_107_542_400.0, [2100.0, 3.0, 1.0, 0.0, 0.0, 1.0, 60.0, 31.0]);
    }

    #[test]
    fn what_is_no_moment_has_a_date_as_in_go() {
        let year = date("year").unwrap();
        assert_eq!(year(f64::NAN), year(f64::INFINITY));
        assert_eq!(year(f64::NAN), year(-9.223_372_036_854_776e18));
    }
}
