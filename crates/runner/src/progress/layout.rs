//! What fits into a line of the terminal. A bar that is longer than its line would be drawn anew below itself.

/// How much a line has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Names in short, numbers, no bars.
    Narrow,
    /// The usual 80 columns.
    Usual,
    /// Everything.
    Wide,
}

impl Layout {
    /// For the terminal as it is now.
    pub fn of_terminal() -> Self {
        Self::of(super::columns())
    }

    fn of(columns: usize) -> Self {
        match columns {
            0..70 => Self::Narrow,
            70..120 => Self::Usual,
            _ => Self::Wide,
        }
    }

    pub fn grid(self) -> &'static str {
        match self {
            Self::Narrow => "{pos}/{len} runs, {elapsed} gone{left}",
            Self::Usual | Self::Wide => {
                "{pos}/{len} runs {wide_bar:.cyan/dim} {elapsed} gone{left}"
            }
        }
    }

    pub fn run(self) -> &'static str {
        match self {
            Self::Narrow => "{prefix:18!} {percent:>3}% {eta:>3} {msg}",
            Self::Usual => "{prefix:32!} {wide_bar:.cyan/dim} {percent:>3}%, {eta} left  {msg}",
            Self::Wide => {
                "{prefix:44!} {wide_bar:.cyan/dim} {pos}/{len} steps, {samples}, {eta} left  {msg}"
            }
        }
    }

    pub fn download(self, sized: bool) -> &'static str {
        match (self, sized) {
            (Self::Narrow, true) => "{msg:18!} {percent:>3}% {eta:>3}",
            (Self::Usual, true) => {
                "{msg:32!} {wide_bar:.cyan/dim} {bytes}/{total_bytes}, {eta} left"
            }
            (Self::Wide, true) => {
                "{msg:44!} {wide_bar:.cyan/dim} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left"
            }
            (Self::Narrow, false) => "{msg:18!} {bytes}",
            (_, false) => "{msg:32!} {bytes}, {bytes_per_sec}",
        }
    }

    /// The longest of the titles that has room; the last one is the shortest.
    pub fn title(self, titles: &[String; 2]) -> &str {
        let room = match self {
            Self::Narrow => 18,
            Self::Usual => 32,
            Self::Wide => 44,
        };
        let [full, short] = titles;
        if full.len() <= room { full } else { short }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};
    use std::io::Result;
    use std::sync::{Arc, Mutex};

    /// A terminal that keeps what is written, without where.
    #[derive(Clone, Debug)]
    struct Paper {
        columns: u16,
        text: Arc<Mutex<String>>,
    }

    impl TermLike for Paper {
        fn width(&self) -> u16 {
            self.columns
        }
        fn move_cursor_up(&self, _: usize) -> Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> Result<()> {
            self.write_str(&format!("{text}\n"))
        }
        fn write_str(&self, text: &str) -> Result<()> {
            self.text.lock().unwrap().push_str(text);
            Ok(())
        }
        fn clear_line(&self) -> Result<()> {
            self.write_str("\n")
        }
        fn flush(&self) -> Result<()> {
            Ok(())
        }
    }

    /// A bar half done, the last time that it is drawn on a terminal of this width.
    fn drawn(columns: u16, template: &str, length: u64, words: [&str; 2]) -> String {
        let paper = Paper { columns, text: Arc::default() };
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(paper.clone()), 255);
        let bars = MultiProgress::with_draw_target(target);
        let bar = bars.add(ProgressBar::new(length));
        let samples = |_: &_, text: &mut dyn std::fmt::Write| {
            write!(text, "123,456 samples/s").unwrap();
        };
        let left = |_: &_, text: &mut dyn std::fmt::Write| {
            write!(text, ", 1 h 20 min left").unwrap();
        };
        let style = ProgressStyle::with_template(template).unwrap();
        bar.set_style(style.with_key("samples", samples).with_key("left", left));
        bar.set_position(length / 2);
        let [prefix, message] = words;
        bar.set_prefix(prefix.to_string());
        bar.set_message(message.to_string());
        bar.tick();
        let text = paper.text.lock().unwrap().clone();
        let plain = console::strip_ansi_codes(&text).into_owned();
        let last = plain.lines().rfind(|line| line.contains(message));
        last.unwrap_or_else(|| panic!("{columns}: {plain}")).trim_end().to_string()
    }

    #[test]
    fn every_bar_keeps_to_one_line_with_all_that_matters() {
        let titles = ["amazon-beauty base_model seed 1".into(), "base_model seed 1".into()];
        for columns in [40, 80, 100, 120, 200] {
            let layout = Layout::of(columns.into());
            let fits = |line: &str| line.chars().count() <= columns.into();
            let grid = drawn(columns, layout.grid(), 12, ["", "1 h 20 min left"]);
            assert!(
                grid.starts_with("6/12 runs") && grid.ends_with("min left"),
                "{columns}: {grid}"
            );
            let run = drawn(columns, layout.run(), 20_000, [layout.title(&titles), "gAUC 0.5467"]);
            assert!(
                run.contains("base_model seed 1") && run.ends_with("0.5467"),
                "{columns}: {run}"
            );
            assert!(fits(&grid) && fits(&run), "{columns}: {grid} {run}");
            assert_eq!(run.contains('█'), columns > 70, "{run}");
            assert_eq!(run.contains("amazon-beauty"), columns > 70, "{run}");
        }
    }
}
