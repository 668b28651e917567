//! Leap seconds (RFC 3339, section 5.7): the second 60 stands at the end of 30 June and of 31 December in UTC.
//!
//! With an offset an automaton would need a state for each minute of the day, and hardly any parser accepts second 60 there. So they are
//! written in UTC only, and literals of a schema are judged by arithmetic.

/// Whether a string that is a `time` or a `date-time`, but for a second 60 anywhere, is one.
pub(super) fn judge(text: &str) -> Option<bool> {
    let (date, time) = text.split_once(['T', 't']).map_or((None, text), |(date, time)| (Some(date), time));
    let two = |at: usize| -> Option<i32> { time.get(at..at + 2)?.parse().ok() };
    if two(6)? != 60 {
        return Some(true);
    }
    let offset = match time.rfind(['+', '-']) {
        None => 0,
        Some(at) => {
            let minutes = two(at + 1)? * 60 + two(at + 4)?;
            if time.as_bytes()[at] == b'-' { -minutes } else { minutes }
        }
    };
    // Minutes of UTC from the beginning of the local day.
    let minutes = two(0)? * 60 + two(3)? - offset;
    Some(match (date.and_then(|date| date.get(5..)), minutes) {
        (None, minutes) => minutes.rem_euclid(24 * 60) == 24 * 60 - 1,
        (Some("06-30" | "12-31"), minutes) => minutes == 24 * 60 - 1,
        // The day before in UTC.
        (Some("07-01" | "01-01"), minutes) => minutes == -1,
        // The day after begins at minute 1440, so its last minute is out of reach.
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::judge;

    #[test]
    fn a_leap_second_ends_a_half_year_in_utc() {
        for (text, expected) in [
            ("1990-12-31T23:59:60Z", true),
            ("1990-12-31T15:59:60-08:00", true),
            ("1991-01-01T00:59:60.25+01:00", true),
            ("2012-07-01t01:29:60+01:30", true),
            ("2012-06-30T19:59:60-04:00", true),
            ("2025-03-14T23:59:60Z", false),
            ("3281-10-21t22:29:60.3348-01:30", false),
            ("1990-12-31T23:59:60+01:00", false),
            ("1991-01-01T23:59:60Z", false),
            ("1990-12-31T22:59:60Z", false),
            ("2025-03-14T23:59:59.123456789012Z", true),
            ("23:59:60Z", true),
            ("15:59:60-08:00", true),
            ("00:29:60+00:30", true),
            ("23:59:60+01:00", false),
            ("12:00:00.5Z", true),
        ] {
            assert_eq!(judge(text), Some(expected), "{text}");
        }
    }
}
