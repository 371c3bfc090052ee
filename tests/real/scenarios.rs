//! The scenarios, in the order in which they run.

use std::path::Path;

use crate::fleet::Fleet;

mod balancer;
mod chart;
mod checks;
mod credentials;
mod dns_checks;
mod exports;
mod forwarders;
mod gateways;
mod granted;
mod helm_test;
mod hints;
mod hosts;
mod image;
mod joins;
mod key_files;
mod latency;
mod live;
mod losses;
mod members;
mod newcomer;
mod outage;
mod package;
mod planes;
mod pods;
mod prometheus;
mod recovery;
mod replicas;
mod resolved;
mod resolvers;
mod restart;
mod rights;
mod rolls;
mod sbom;
mod signed;
mod signed_example;
mod sizes;
mod static_program;
mod unconfirmed;

/// A test that needs no control planes, and its folder.
type Alone = fn(&Path);
/// A test on the shared control planes.
type Scenario = fn(&Fleet);

/// Tests that need no control planes.
pub(crate) const ALONE: &[(&str, Alone)] = &[
    ("unbound_resolves_through_a_stub_zone", resolvers::unbound),
    (
        "coredns_forwards_a_stub_domain_over_tcp",
        resolvers::coredns,
    ),
    ("dnsmasq_forwards_as_the_stub_says", forwarders::dnsmasq),
    (
        "powerdns_recursor_forwards_as_the_stub_says",
        forwarders::pdns_recursor,
    ),
    ("bind_forwards_as_the_stub_says", forwarders::bind),
    ("kube_dns_forwards_as_the_stub_says", forwarders::kube_dns),
    (
        "node_local_dns_forwards_by_a_block_of_its_own",
        forwarders::node_local,
    ),
    ("systemd_resolved_routes_as_the_stub_says", resolved::routes),
    ("check_sees_what_a_stub_domain_lacks", dns_checks::stubs),
    (
        "check_sees_whether_client_subnets_arrive",
        dns_checks::client_subnets,
    ),
    (
        "check_sees_what_the_zone_above_has_wrong",
        dns_checks::parents,
    ),
    (
        "validators_take_every_answer_of_a_signed_apex_in_an_outage",
        signed::outage,
    ),
    (
        "the_commands_of_the_page_about_dnssec_validate",
        signed_example::page,
    ),
    ("dnsviz_and_zonemaster_find_nothing_wrong", signed::judged),
    ("a_check_compares_ds_records_with_keys", signed::checked),
    (
        "answers_hold_while_key_files_are_refused",
        key_files::refused,
    ),
    (
        "a_zone_without_readable_keys_is_not_answered",
        key_files::unreadable,
    ),
    (
        "a_roll_at_a_fast_clock_is_never_bogus",
        rolls::same_algorithm,
    ),
    (
        "a_roll_to_another_algorithm_is_never_bogus",
        rolls::other_algorithm,
    ),
    (
        "a_zone_is_signed_until_its_ds_record_is_forgotten",
        rolls::unsigned,
    ),
    ("haproxy_has_a_server_for_each_member", balancer::haproxy),
    ("no_answer_is_longer_than_that_of_knot", sizes::beside_knot),
    ("helm_takes_every_set_of_values", chart::renders),
    (
        "the_chart_grants_what_the_file_of_rights_does",
        chart::grants,
    ),
    (
        "the_chart_grants_what_the_file_of_rights_for_a_host_does",
        chart::grants_host,
    ),
    ("the_chart_replaces_pods_only_where_needed", chart::replaces),
    (
        "helm_test_tells_what_is_wrong_with_the_files",
        helm_test::files_alone,
    ),
    ("helm_refuses_wrong_values_by_name", chart::refuses),
    ("kustomize_equals_the_chart", chart::equals_kustomize),
    ("promtool_takes_rules_and_their_tests", prometheus::rules),
    (
        "alerts_tell_what_happens_to_facts_and_end_with_it",
        prometheus::alerts,
    ),
    ("the_image_is_reproducible_and_answers", image::serves),
    ("the_package_is_reproducible_and_clean", package::is_clean),
    ("the_package_seizes_nothing", package::lives),
    ("the_bills_of_materials_are_complete", sbom::are_complete),
];

/// Tests on the shared control planes.
pub(crate) const WITH_CLUSTERS: &[(&str, Scenario)] = &[
    (
        "a_ready_pod_is_a_ready_endpoint",
        planes::pods_become_endpoints,
    ),
    (
        "answers_fall_back_from_zone_to_region_to_global",
        live::levels,
    ),
    ("scaling_to_zero_and_back_is_followed", live::scale),
    ("pods_that_stop_being_ready_are_left", live::readiness),
    (
        "a_new_load_balancer_address_replaces_the_old",
        live::address,
    ),
    ("load_balancer_hostnames_are_resolved", live::hostname),
    ("a_deleted_service_does_not_exist", live::deletion),
    ("node_labels_move_a_member", live::labels),
    ("moving_a_slice_interrupts_nothing", live::moved_slice),
    ("changes_reach_answers_quickly", latency::report),
    (
        "a_killed_api_server_changes_no_answer_within_hold",
        losses::killed_server,
    ),
    (
        "a_lost_member_is_withdrawn_only_where_others_serve",
        losses::withdrawal,
    ),
    ("losing_most_members_withdraws_nothing", losses::brake),
    ("a_silent_network_is_noticed", losses::silence),
    ("an_expired_watch_starts_over", recovery::expired_watch),
    (
        "a_restored_etcd_is_followed_backwards",
        recovery::restored_etcd,
    ),
    (
        "a_member_that_is_lost_while_its_list_is_held_back_comes_back",
        unconfirmed::lost,
    ),
    ("every_kind_of_credentials_works", credentials::every_kind),
    ("each_right_is_needed", rights::denied),
    (
        "the_static_program_reaches_a_member_by_name",
        static_program::joins,
    ),
    ("refused_paths_are_no_loss", rights::refused_paths),
    ("a_rotated_token_is_picked_up", credentials::rotated_token),
    (
        "services_follow_the_gateway_in_front_of_them",
        gateways::gateways,
    ),
    (
        "service_exports_count_once_their_kind_exists",
        exports::service_exports,
    ),
    ("a_join_by_any_context_changes_nothing_twice", joins::twice),
    ("a_join_that_is_cut_short_is_completed", joins::cut_short),
    ("a_join_verifies_the_api", joins::verification),
    (
        "a_joined_token_without_end_is_replaced_without_a_gap",
        joins::long_lived,
    ),
    (
        "two_installations_join_one_member",
        joins::two_installations,
    ),
    (
        "a_joined_member_that_is_down_leaves_by_force",
        joins::forced,
    ),
    ("a_join_waits_for_the_daemon", joins::heard),
    ("a_newcomer_needs_only_the_readme", newcomer::readme),
    (
        "a_token_is_renewed_at_half_of_what_was_granted",
        granted::halves,
    ),
    (
        "a_token_that_has_expired_is_told_and_replaced_by_a_join",
        granted::expired,
    ),
    ("a_cluster_that_joins_is_answered_at_once", joins::followed),
    ("a_join_leaves_a_secret_in_a_host_cluster", joins::host),
    ("secrets_of_a_host_cluster_are_members", hosts::secrets),
    ("cluster_profiles_are_members", hosts::profiles),
    (
        "a_live_check_finds_one_fault_at_a_time_and_says_what_mends_it",
        checks::faults,
    ),
    (
        "a_live_check_of_a_silent_api_costs_one_limit",
        checks::silent,
    ),
    ("hints_about_files_mend_them", hints::of_files),
    (
        "hints_about_members_of_a_host_cluster_mend_them",
        hints::of_host,
    ),
    ("hints_about_access_mend_it", hints::of_access),
    ("hints_about_objects_mend_them", hints::of_objects),
    ("a_hint_about_another_cluster_mends_it", hints::of_identity),
    (
        "replicas_agree_about_the_overrides_of_a_host_cluster",
        replicas::agree,
    ),
    (
        "an_api_server_accepts_all_that_the_chart_makes",
        chart::accepted,
    ),
    ("helm_test_looks_at_members", helm_test::members),
    (
        "prometheus_has_a_series_for_every_query",
        prometheus::watches,
    ),
    (
        "a_member_that_never_worked_delays_nothing",
        members::bad_credentials,
    ),
    ("members_come_and_go_by_reload", members::reload),
    (
        "a_restart_without_any_api_answers_at_once",
        restart::without_apis,
    ),
    (
        "two_of_three_members_that_are_dead_for_long_are_withdrawn",
        outage::two_of_three,
    ),
    (
        "pods_find_the_service_of_their_own_cluster_first",
        pods::through_coredns,
    ),
    (
        "unbound_finds_the_service_of_its_member_first",
        pods::through_unbound,
    ),
];
