//! The names of the rules, in one list from which both the tests and
//! [`RULES`](super::RULES) are made, so that they cannot differ.

/// The one list of rules. What is done with it is the first word.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_rules {
    (durable $then:ident $args:tt) => {
        $crate::__conformance_rules! { @$then $args
            reopening {
                what_was_written_is_there
                what_was_given_up_is_not_there
                installing_after_reopening_keeps_rows
                unique_values_are_still_held
                orgs_stay_apart_after_reopening
            }
        }
    };
    ($then:ident $args:tt) => {
        $crate::__conformance_rules! { @$then $args
            rows {
                a_missing_row_is_none
                every_kind_survives
                numbers_survive_at_their_extremes
                text_survives_byte_by_byte
                json_text_survives_byte_by_byte
                bytes_survive_as_they_are
                an_empty_string_is_not_null
                instants_survive_to_the_microsecond
                any_id_is_a_key
                insert_keeps_the_first_row
                put_replaces_the_whole_row
                delete_tells_whether_it_did
                tables_do_not_mix
                installing_again_keeps_rows
            }
            sums {
                add_sums_in_place
                add_to_a_missing_row_is_none
                add_past_the_range_changes_nothing
            }
            uniqueness {
                a_unique_value_is_taken_once
                a_taken_key_comes_before_a_taken_value
                several_columns_are_unique_together
                unique_text_is_compared_by_bytes
                nulls_never_clash
                a_row_does_not_clash_with_itself
                a_freed_value_can_be_taken_at_once
                a_refused_write_changes_nothing
            }
            queries {
                every_op_filters
                every_kind_filters
                null_matches_only_null
                all_conditions_must_hold
                rows_come_by_primary_key
                every_kind_is_ordered
                ties_follow_the_direction
                nulls_are_the_least
                text_is_ordered_by_bytes
                negative_zero_is_zero
                a_limit_is_kept
                a_limit_past_the_maximum_is_the_maximum
            }
            pages {
                pages_visit_every_row_once
                pages_go_through_ties
                pages_go_through_nulls
                a_cursor_outlives_its_row
                a_cursor_by_key_ignores_the_value
            }
            transactions {
                a_write_sees_itself
                an_error_undoes_everything
                an_error_gives_unique_values_back
                a_panic_undoes_everything
                a_panic_in_a_read_does_no_harm
                the_error_of_a_write_comes_back_unchanged
                the_error_of_a_read_comes_back_unchanged
            }
            orgs {
                orgs_do_not_get_each_others_rows
                orgs_do_not_query_each_others_rows
                a_key_may_stand_in_two_orgs
                changes_stay_in_their_org
                unique_values_are_unique_in_their_org
                any_id_is_an_org
            }
            concurrency {
                a_read_is_one_snapshot
                nobody_sees_half_a_write
                transfers_keep_the_sum
                one_of_many_inserts_wins
                one_of_many_takes_a_unique_value
                no_update_is_lost
                decisions_rest_on_what_was_read
            }
            histories {
                random_histories_match_the_model
            }
        }
    };
    (@list () $($theme:ident { $($rule:ident)+ })+) => {
        &[$($($crate::store::conformance::Rule {
            name: stringify!($rule),
            check: $crate::store::conformance::$theme::$rule,
        }),+),+]
    };
    (@fresh ($store:expr) $($theme:ident { $($rule:ident)+ })+) => {
        $($(
            #[test]
            fn $rule() {
                $crate::store::conformance::$theme::$rule(&$store);
            }
        )+)+
    };
    (@folder ($open:expr) $($theme:ident { $($rule:ident)+ })+) => {
        $($(
            #[test]
            fn $rule() {
                let rule = $crate::store::conformance::$theme::$rule;
                $crate::store::conformance::in_a_folder($open, |open| rule(&open()));
            }
        )+)+
    };
    (@reopened_list () $($theme:ident { $($rule:ident)+ })+) => {
        &[$($($crate::store::conformance::DurableRule {
            name: stringify!($rule),
            check: $crate::store::conformance::$theme::$rule,
        }),+),+]
    };
    (@reopened ($open:expr) $($theme:ident { $($rule:ident)+ })+) => {
        $($(
            #[test]
            fn $rule() {
                let rule = $crate::store::conformance::$theme::$rule;
                $crate::store::conformance::in_a_folder($open, rule);
            }
        )+)+
    };
}
