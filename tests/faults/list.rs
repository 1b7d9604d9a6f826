//! The faults, and for each the rule that must catch it.

macro_rules! faults {
    ($($(#[doc = $what:literal])+ $fault:ident: $rule:ident,)+) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Fault {
            /// Nothing is wrong.
            None,
            /// Nothing is wrong: writes overlap, and run again when one minds the other.
            Overlaps,
             $($(#[doc = $what])+ $fault),+ }
        /// Each fault and the rule that must catch it.
        pub(super) const FAULTS: &[(Fault, &str)] = &[$((Fault::$fault, stringify!($rule))),+];
    };
}

faults! {
    // Rows.
    /// A missing row comes back as one of nulls.
    InventsRows: a_missing_row_is_none,
    /// Booleans come back as integers.
    BoolsAreInts: every_kind_survives,
    /// Integers go through a float.
    IntsAreFloats: numbers_survive_at_their_extremes,
    /// Text ends at the first NUL.
    TextEndsAtNul: text_survives_byte_by_byte,
    /// JSON is parsed and written anew.
    JsonIsReformatted: json_text_survives_byte_by_byte,
    /// Bytes are taken for text, and what is none is replaced.
    BytesAreText: bytes_survive_as_they_are,
    /// No bytes become null.
    NoBytesAreNull: bytes_survive_as_they_are,
    /// An empty string becomes null.
    EmptyIsNull: an_empty_string_is_not_null,
    /// Instants are kept in milliseconds.
    TimesAreMillis: instants_survive_to_the_microsecond,
    /// Keys are ordered as signed numbers.
    KeysAreSigned: any_id_is_a_key,
    /// `insert` replaces the row that is there.
    InsertOverwrites: insert_keeps_the_first_row,
    /// `put` keeps what the new row has as null.
    PutMerges: put_replaces_the_whole_row,
    /// `delete` always says that there was a row.
    DeleteSaysTrue: delete_tells_whether_it_did,
    /// All tables are one.
    TablesMix: tables_do_not_mix,
    /// `install` begins with nothing.
    InstallWipes: installing_again_keeps_rows,
    // Sums.
    /// `add` sets instead.
    AddSets: add_sums_in_place,
    /// `add` makes the row that is missing.
    AddCreates: add_to_a_missing_row_is_none,
    /// `add` wraps around.
    AddWraps: add_past_the_range_changes_nothing,
    // Unique values.
    /// Only `put` minds unique indexes.
    InsertIgnoresUnique: a_unique_value_is_taken_once,
    /// A conflict names the key instead of the columns.
    ConflictNamesKey: a_unique_value_is_taken_once,
    /// `insert` looks at unique values before it looks at the key.
    InsertChecksUniqueFirst: a_taken_key_comes_before_a_taken_value,
    /// Each column of a unique index is unique by itself.
    ColumnsUniqueAlone: several_columns_are_unique_together,
    /// Two nulls are the same value.
    NullsClash: nulls_never_clash,
    /// Unique text is compared without case.
    UniqueIgnoresCase: unique_text_is_compared_by_bytes,
    /// A row is in its own way.
    RowClashesWithItself: a_row_does_not_clash_with_itself,
    /// A value is free only when the transaction is over.
    UniqueFreedAtCommit: a_freed_value_can_be_taken_at_once,
    /// A refused `put` has deleted the row that it was to replace.
    RefusedPutDeletes: a_refused_write_changes_nothing,
    // Queries.
    /// `Le` is taken for `Lt`.
    LeIsLt: every_op_filters,
    /// Booleans are not filtered by.
    BoolsPass: every_kind_filters,
    /// A null is not equal to a value, so `Ne` lets it pass.
    NePassesNulls: null_matches_only_null,
    /// The first condition is the only one.
    OneConditionCounts: all_conditions_must_hold,
    /// Without an order, rows come in none.
    KeysUnordered: rows_come_by_primary_key,
    /// JSON orders nothing.
    JsonUnordered: every_kind_is_ordered,
    /// Bytes are ordered as signed numbers.
    BytesAreSigned: every_kind_is_ordered,
    /// Ties come in any order.
    TiesAreLoose: ties_follow_the_direction,
    /// Ties always ascend.
    TiesAscend: ties_follow_the_direction,
    /// Nulls are the greatest.
    NullsAreGreatest: nulls_are_the_least,
    /// Text is ordered and compared without case.
    OrderIgnoresCase: text_is_ordered_by_bytes,
    /// Zero with a sign is less than zero.
    ZeroHasSign: negative_zero_is_zero,
    /// All rows are returned.
    LimitIgnored: a_limit_is_kept,
    /// Rows past the greatest limit are returned.
    LimitUnbounded: a_limit_past_the_maximum_is_the_maximum,
    // Pages.
    /// Each page begins at the beginning.
    AfterIgnored: pages_visit_every_row_once,
    /// The cursor's own row comes again.
    AfterInclusive: pages_visit_every_row_once,
    /// The next page begins at the next value.
    AfterSkipsTies: pages_go_through_ties,
    /// After a null comes nothing, as in `WHERE slot > NULL`.
    AfterNullIsNothing: pages_go_through_nulls,
    /// The cursor's row is looked up to find the place.
    AfterNeedsRow: a_cursor_outlives_its_row,
    /// The cursor's value is taken for one of the key.
    AfterUsesValue: a_cursor_by_key_ignores_the_value,
    // Transactions.
    /// Within a write, queries see what was there before.
    WriteSeesPast: a_write_sees_itself,
    /// Each change is final at once.
    Autocommits: an_error_undoes_everything,
    /// Values that were taken stay so when the transaction is given up.
    AbortKeepsUnique: an_error_gives_unique_values_back,
    /// A panic is taken for success.
    PanicCommits: a_panic_undoes_everything,
    /// After a panic nothing works.
    PanicPoisons: a_panic_undoes_everything,
    /// After a panic in a read nothing works.
    ReadPanicPoisons: a_panic_in_a_read_does_no_harm,
    /// An error of a write is taken for success.
    WriteSwallowsError: the_error_of_a_write_comes_back_unchanged,
    /// An error of a write is wrapped.
    WriteWrapsError: the_error_of_a_write_comes_back_unchanged,
    /// An error of a read is taken for success.
    ReadSwallowsError: the_error_of_a_read_comes_back_unchanged,
    // Orgs.
    /// `get` finds rows of any org.
    GetLeaks: orgs_do_not_get_each_others_rows,
    /// `query` finds rows of any org.
    QueryLeaks: orgs_do_not_query_each_others_rows,
    /// `insert` finds its key taken by any org.
    KeysAreGlobal: a_key_may_stand_in_two_orgs,
    /// `delete` reaches any org.
    DeleteLeaks: changes_stay_in_their_org,
    /// Unique values are unique among all orgs.
    UniqueAcrossOrgs: unique_values_are_unique_in_their_org,
    /// The nil org is taken for no org, and sees everything.
    NilOrgSeesAll: any_id_is_an_org,
    // Concurrency.
    /// Each call in a read sees what is there by then.
    ReadIsNoSnapshot: a_read_is_one_snapshot,
    /// Reads see changes that are not final yet.
    DirtyReads: nobody_sees_half_a_write,
    /// Writes overlap, and `add` overwrites what another added meanwhile.
    AddsOverlap: transfers_keep_the_sum,
    /// Writes overlap, and two may insert the same key.
    InsertsOverlap: one_of_many_inserts_wins,
    /// Writes overlap, and each minds only the unique values that were there when it began.
    UniqueOverlaps: one_of_many_takes_a_unique_value,
    /// Writes overlap, and the last one wins.
    LostUpdates: no_update_is_lost,
    /// Writes overlap unless they change the same rows (snapshot isolation).
    WriteSkew: decisions_rest_on_what_was_read,
    // Histories.
    /// A row that is deleted and inserted again in one transaction is gone.
    ReinsertedIsLost: random_histories_match_the_model,
}
