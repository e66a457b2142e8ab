//! The methods on the command line: `--method NAME`, and options that belong to one method (or several) alone.

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, Error};

const METHOD: &str = "method";

/// The `--method` option; `about` says of each name what it is.
pub fn choice(names: impl Iterator<Item = &'static str>, about: &[(&'static str, &'static str)]) -> Arg {
    let values = names.map(|name| {
        let help = about.iter().find(|(n, _)| *n == name).map_or("", |(_, text)| text.trim());
        clap::builder::PossibleValue::new(name).help(help)
    });
    Arg::new(METHOD)
        .long(METHOD)
        .value_name("METHOD")
        .default_value("clip-lung")
        .value_parser(clap::builder::PossibleValuesParser::new(values))
        .help("The method")
}

/// The name given to `--method`.
///
/// # Errors
/// Never after parsing.
pub fn chosen(matches: &ArgMatches) -> Result<String, Error> {
    let name = matches.get_one::<String>(METHOD).cloned();
    name.ok_or_else(|| Error::raw(ErrorKind::MissingRequiredArgument, "--method is missing\n"))
}

/// A name that no method has.
pub fn unknown(name: &str) -> Error {
    Error::raw(ErrorKind::InvalidValue, format!("there is no method `{name}`\n"))
}

fn options<C: Args>() -> Vec<Arg> {
    C::augment_args(Command::new("method")).get_arguments().cloned().collect()
}

/// Whether a method has this option.
pub fn takes<C: Args>(id: &str) -> bool {
    options::<C>().iter().any(|a| a.get_id() == id)
}

/// Adds a method's options under a heading; one that another method has too is listed with that one.
pub fn add<C: Args>(command: Command, heading: &'static str) -> Command {
    options::<C>().into_iter().fold(command, |command, option| {
        if command.get_arguments().any(|a| a.get_id() == option.get_id()) {
            return command;
        }
        command.arg(option.help_heading(heading))
    })
}

/// Refuses options of the method `name` that the `chosen` one does not have; `own` says which it has.
///
/// # Errors
/// The first such option.
pub fn refuse_foreign<C: Args>(
    matches: &ArgMatches,
    name: &str,
    chosen: &str,
    own: fn(&str) -> bool,
) -> Result<(), Error> {
    for option in options::<C>() {
        let id = option.get_id().as_str();
        let given = matches.value_source(id) == Some(ValueSource::CommandLine);
        if given && !own(id) {
            let long = option.get_long().unwrap_or(id);
            let message = format!("--{long} belongs to {name} and has no meaning for --method {chosen}\n");
            return Err(Error::raw(ErrorKind::ArgumentConflict, message));
        }
    }
    Ok(())
}
