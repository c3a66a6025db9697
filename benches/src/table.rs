//! Prints measured figures as a Markdown table: [`Table`].

use std::time::Duration;

use crate::measure::Usage;

/// Rows of figures, each with its ratio to the first row named as the reference.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    what: String,
    usage: Usage,
    count: usize,
}

impl Table {
    /// Adds a row; `count` is how many things were done in it, for the figure of a single one.
    pub fn add(&mut self, what: &str, usage: Usage, count: usize) {
        eprintln!("measured: {what}: {} ms", milliseconds(usage.wall));
        self.rows.push(Row {
            what: what.to_owned(),
            usage,
            count: count.max(1),
        });
    }

    /// Prints the table with a heading; ratios are to the row `reference`.
    pub fn print(&self, heading: &str, reference: &str) {
        let base = self.rows.iter().find(|row| row.what == reference);
        println!("### {heading}\n");
        println!(
            "| what | wall ms | CPU ms | each, wall ms | memory MB | wall ÷ `{reference}` | CPU ÷ |"
        );
        println!("|---|---|---|---|---|---|---|");
        for row in &self.rows {
            println!(
                "| {} | {} | {} | {} | {} | {} | {} |",
                row.what,
                milliseconds(row.usage.wall),
                milliseconds(row.usage.cpu),
                milliseconds(each(row.usage.wall, row.count)),
                megabytes(row.usage.rss_bytes),
                base.map_or_else(
                    || "–".to_owned(),
                    |base| ratio(
                        each(row.usage.wall, row.count),
                        each(base.usage.wall, base.count)
                    )
                ),
                base.map_or_else(
                    || "–".to_owned(),
                    |base| ratio(
                        each(row.usage.cpu, row.count),
                        each(base.usage.cpu, base.count)
                    )
                ),
            );
        }
        println!();
    }
}

fn each(time: Duration, count: usize) -> Duration {
    time / u32::try_from(count).unwrap_or(u32::MAX)
}

fn milliseconds(time: Duration) -> String {
    let value = time.as_secs_f64() * 1e3;
    match value {
        100.0.. => format!("{value:.0}"),
        10.0..100.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}

fn megabytes(bytes: u64) -> u64 {
    (bytes + 500_000) / 1_000_000
}

fn ratio(of: Duration, to: Duration) -> String {
    if to.is_zero() {
        return "–".to_owned();
    }
    format!("{:.2}", of.as_secs_f64() / to.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{each, milliseconds, ratio};

    #[test]
    fn figures_have_as_many_digits_as_they_are_worth() {
        assert_eq!(milliseconds(Duration::from_micros(1_234)), "1.234");
        assert_eq!(milliseconds(Duration::from_micros(12_345)), "12.3");
        assert_eq!(milliseconds(Duration::from_millis(1234)), "1234");
        assert_eq!(
            ratio(Duration::from_millis(30), Duration::from_millis(20)),
            "1.50"
        );
        assert_eq!(each(Duration::from_secs(1), 1000), Duration::from_millis(1));
    }
}
