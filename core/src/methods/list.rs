//! What a list of methods makes: static matches over enums, one variant a method.

/// The names: `enum Method`.
#[macro_export]
macro_rules! method_names {
    ($($(#[doc = $doc:literal])* $variant:ident = $module:ident $name:literal [$($readout:ident),+],)+) => {
        /// A method, by its name on the command line and in files.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ::serde::Serialize, ::serde::Deserialize)]
        pub enum Method {
            $($(#[doc = $doc])* #[serde(rename = $name)] $variant,)+
        }

        impl Method {
            /// All methods, in the order of the list.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$variant),+];

            /// The readouts that a trained model of the method can have.
            pub fn readouts(self) -> &'static [$crate::methods::readout::ReadoutKind] {
                match self {
                    $(Self::$variant => &[$($crate::methods::readout::ReadoutKind::$readout),+],)+
                }
            }

            /// The name on the command line and in files.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

/// The configurations and the heads: `enum MethodConfig`, `enum Head`.
#[macro_export]
macro_rules! method_heads {
    ($($(#[doc = $doc:literal])* $variant:ident = $module:ident $name:literal [$($readout:ident),+],)+) => {
        /// A method with its settings, as a run's `config.json` holds them.
        #[derive(Clone, Debug, PartialEq, ::serde::Serialize, ::serde::Deserialize)]
        #[serde(tag = "name")]
        pub enum MethodConfig {
            $(#[serde(rename = $name)] $variant($module::Config),)+
        }

        /// A method's head.
        // one of them is held at a time
        #[allow(clippy::large_enum_variant)]
        #[derive(::burn::module::Module, Debug)]
        pub enum Head {
            $($variant($module::Head),)+
        }

        impl From<Method> for MethodConfig {
            /// The method with its default settings.
            fn from(method: Method) -> Self {
                match method {
                    $(Method::$variant => Self::$variant($module::Config::default()),)+
                }
            }
        }

        impl MethodConfig {
            /// Which method it is.
            pub fn method(&self) -> Method {
                match self {
                    $(Self::$variant(_) => Method::$variant,)+
                }
            }

            /// How layer4 is pooled where nothing else is asked for.
            pub fn default_pool(&self) -> $crate::methods::pool::Pool {
                match self {
                    $(Self::$variant(_) => <$module::Head as $crate::methods::MethodHead>::POOL,)+
                }
            }

            /// Whether training needs a text encoder.
            pub fn needs_text(&self) -> bool {
                match self {
                    $(Self::$variant(_) => <$module::Head as $crate::methods::MethodHead>::NEEDS_TEXT,)+
                }
            }

            /// Whether every step runs the frozen text tower.
            pub fn encodes_text(&self) -> bool {
                match self {
                    $(Self::$variant(config) => <$module::Head as $crate::methods::MethodHead>::encodes_text(config),)+
                }
            }

            /// Whether training needs the readers' ratings.
            pub fn needs_ratings(&self) -> bool {
                match self {
                    $(Self::$variant(config) => <$module::Head as $crate::methods::MethodHead>::needs_ratings(config),)+
                }
            }

            /// Whether a run's predictions rest on the text features.
            pub fn infers_by_text(&self) -> bool {
                match self {
                    $(Self::$variant(config) => <$module::Head as $crate::methods::MethodHead>::infers_by_text(config),)+
                }
            }

            /// That every setting is usable.
            ///
            /// # Errors
            /// The first that is not.
            pub fn check(&self, pool: $crate::methods::pool::Pool) -> $crate::error::Result<()> {
                match self {
                    $(Self::$variant(config) => <$module::Head as $crate::methods::MethodHead>::check(config, pool),)+
                }
            }

            /// A fresh head. `initial` gives the classifier's weights, after those of the image encoder.
            ///
            /// # Errors
            /// When the text side is missing, or does not fit.
            pub fn init(
                &self,
                setup: &$crate::methods::Setup,
                initial: &mut $crate::nn::layers::Initial,
                device: &::burn::tensor::Device,
            ) -> $crate::error::Result<Head> {
                use $crate::methods::MethodHead;
                match self {
                    $(Self::$variant(config) => $module::Head::new(config, setup, initial, device).map(Head::$variant),)+
                }
            }
        }

        impl Head {
            /// Pooling and classifier.
            pub fn trunk(&self) -> &$crate::methods::heads::trunk::Trunk {
                match self {
                    $(Self::$variant(head) => $crate::methods::MethodHead::trunk(head),)+
                }
            }

            /// The loss of a batch.
            pub fn loss(
                &self,
                pass: &$crate::methods::heads::trunk::Pass,
                truth: &$crate::methods::Truth,
            ) -> $crate::methods::Loss {
                match self {
                    $(Self::$variant(head) => $crate::methods::MethodHead::loss(head, pass, truth),)+
                }
            }

            /// How the loss weighs a batch's attributes, on its device, for methods that do.
            pub fn attribute_weights(&self, truth: &$crate::methods::Truth) -> Option<::burn::tensor::Tensor<2>> {
                match self {
                    $(Self::$variant(head) => $crate::methods::MethodHead::attribute_weights(head, truth),)+
                }
            }

            /// log p of every class, `[n, C]`, normalised.
            pub fn log_probs(&self, pass: &$crate::methods::heads::trunk::Pass) -> ::burn::tensor::Tensor<2> {
                match self {
                    $(Self::$variant(head) => $crate::methods::MethodHead::log_probs(head, pass),)+
                }
            }

            /// log p of every class by the text features, `[n, C]`, for methods that can answer by them; only those ask for `pass`.
            pub fn text_log_probs(
                &self,
                pass: impl FnOnce() -> $crate::methods::heads::trunk::Pass,
            ) -> Option<::burn::tensor::Tensor<2>> {
                match self {
                    $(Self::$variant(head) => $crate::methods::MethodHead::text_log_probs(head, pass),)+
                }
            }

            /// What is left of the head when it is trained.
            ///
            /// # Errors
            /// When the trained values are none that a readout can have.
            pub fn readout(&self) -> $crate::error::Result<$crate::methods::readout::Readout> {
                match self {
                    $(Self::$variant(head) => $crate::methods::MethodHead::readout(head),)+
                }
            }

            /// How a class is decided on.
            pub fn decision(&self) -> $crate::methods::readout::Decision {
                match self {
                    $(Self::$variant(head) => $crate::methods::MethodHead::decision(head),)+
                }
            }

            /// The words of the attribute read-out, where the method has them: unit rows `[8, 512]` and ln(1/tau).
            pub fn words(&self) -> Option<(::burn::tensor::Tensor<2>, ::burn::tensor::Tensor<1>)> {
                match self {
                    $(Self::$variant(head) => $crate::methods::MethodHead::words(head),)+
                }
            }

            /// Parameters that no weight decay applies to.
            pub fn no_decay(&self) -> Vec<::burn::module::ParamId> {
                match self {
                    $(Self::$variant(head) => $crate::methods::MethodHead::no_decay(head),)+
                }
            }

            /// After each step.
            #[must_use]
            pub fn after_step(self) -> Self {
                match self {
                    $(Self::$variant(head) => Self::$variant($crate::methods::MethodHead::after_step(head)),)+
                }
            }

            /// After each epoch; `outputs` passes the training fold through the network in evaluation mode.
            ///
            /// # Errors
            /// When the device fails.
            pub fn end_epoch(
                self,
                outputs: impl FnOnce() -> $crate::error::Result<$crate::methods::Outputs>,
            ) -> $crate::error::Result<Self> {
                Ok(match self {
                    $(Self::$variant(head) => Self::$variant($crate::methods::MethodHead::end_epoch(head, outputs)?),)+
                })
            }
        }
    };
}

/// The command line: `--method NAME` and each method's own options, which only that method takes.
#[macro_export]
macro_rules! method_flags {
    ($($(#[doc = $doc:literal])* $variant:ident = $module:ident $name:literal [$($readout:ident),+],)+) => {
        impl ::clap::Args for MethodConfig {
            fn augment_args(command: ::clap::Command) -> ::clap::Command {
                let command = command.arg($crate::methods::flags::choice(
                    Method::ALL.iter().map(|m| m.name()),
                    &[$(($name, concat!($($doc),*))),+],
                ));
                $(let command = $crate::methods::flags::add::<$module::Config>(command, concat!("Options of ", $name));)+
                command
            }

            fn augment_args_for_update(command: ::clap::Command) -> ::clap::Command {
                Self::augment_args(command)
            }
        }

        impl ::clap::FromArgMatches for MethodConfig {
            fn from_arg_matches(matches: &::clap::ArgMatches) -> Result<Self, ::clap::Error> {
                let name = $crate::methods::flags::chosen(matches)?;
                let own: fn(&str) -> bool = match name.as_str() {
                    $($name => $crate::methods::flags::takes::<$module::Config>,)+
                    _ => |_| false,
                };
                $($crate::methods::flags::refuse_foreign::<$module::Config>(matches, $name, &name, own)?;)+
                match name.as_str() {
                    $($name => <$module::Config as ::clap::FromArgMatches>::from_arg_matches(matches).map(Self::$variant),)+
                    other => Err($crate::methods::flags::unknown(other)),
                }
            }

            fn update_from_arg_matches(&mut self, matches: &::clap::ArgMatches) -> Result<(), ::clap::Error> {
                *self = Self::from_arg_matches(matches)?;
                Ok(())
            }
        }

        /// The options of all methods, for commands that train several: each option reaches the methods that have it.
        #[derive(Clone, Debug)]
        pub struct MethodOptions(Vec<MethodConfig>);

        impl MethodOptions {
            /// A method with its options.
            pub fn of(&self, method: Method) -> MethodConfig {
                self.0.iter().find(|c| c.method() == method).cloned().unwrap_or(method.into())
            }
        }

        impl ::clap::Args for MethodOptions {
            fn augment_args(command: ::clap::Command) -> ::clap::Command {
                $(let command = $crate::methods::flags::add::<$module::Config>(command, concat!("Options of ", $name));)+
                command
            }

            fn augment_args_for_update(command: ::clap::Command) -> ::clap::Command {
                Self::augment_args(command)
            }
        }

        impl ::clap::FromArgMatches for MethodOptions {
            fn from_arg_matches(matches: &::clap::ArgMatches) -> Result<Self, ::clap::Error> {
                Ok(Self(vec![
                    $(<$module::Config as ::clap::FromArgMatches>::from_arg_matches(matches).map(MethodConfig::$variant)?,)+
                ]))
            }

            fn update_from_arg_matches(&mut self, matches: &::clap::ArgMatches) -> Result<(), ::clap::Error> {
                *self = Self::from_arg_matches(matches)?;
                Ok(())
            }
        }
    };
}
