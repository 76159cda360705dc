package local

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// engineConfig is the server's configuration; USERS stands for the users file's path. It has
//   - no logger section: with one, this build logs everything at trace level;
//   - no section for query_log, metric_log, trace_log and their like, so none of them is written;
//   - caches and pools for one machine's worth of data, so that an idle engine stays small.
const engineConfig = `<clickhouse>
  <users_config>USERS</users_config>
  <user_directories><users_xml><path>USERS</path></users_xml></user_directories>

  <!-- The smaller of the two counts. -->
  <max_server_memory_usage>4294967296</max_server_memory_usage>
  <max_server_memory_usage_to_ram_ratio>0.6</max_server_memory_usage_to_ram_ratio>
  <mark_cache_size>67108864</mark_cache_size>
  <index_mark_cache_size>16777216</index_mark_cache_size>
  <uncompressed_cache_size>0</uncompressed_cache_size>
  <mmap_cache_size>0</mmap_cache_size>
  <compiled_expression_cache_size>16777216</compiled_expression_cache_size>
  <query_cache><max_size_in_bytes>16777216</max_size_in_bytes></query_cache>

  <max_connections>256</max_connections>
  <max_concurrent_queries>100</max_concurrent_queries>
  <max_thread_pool_size>500</max_thread_pool_size>
  <max_thread_pool_free_size>8</max_thread_pool_free_size>
  <background_pool_size>4</background_pool_size>
  <background_merges_mutations_concurrency_ratio>2</background_merges_mutations_concurrency_ratio>
  <background_move_pool_size>1</background_move_pool_size>
  <background_fetches_pool_size>1</background_fetches_pool_size>
  <background_common_pool_size>2</background_common_pool_size>
  <background_schedule_pool_size>8</background_schedule_pool_size>
  <tables_loader_foreground_pool_size>2</tables_loader_foreground_pool_size>
  <tables_loader_background_pool_size>1</tables_loader_background_pool_size>
  <asynchronous_metrics_update_period_s>30</asynchronous_metrics_update_period_s>
  <asynchronous_heavy_metrics_update_period_s>600</asynchronous_heavy_metrics_update_period_s>

  <merge_tree>
    <!-- The limits by free threads must fit the small pool above. -->
    <number_of_free_entries_in_pool_to_execute_mutation>2</number_of_free_entries_in_pool_to_execute_mutation>
    <number_of_free_entries_in_pool_to_lower_max_size_of_merge>2</number_of_free_entries_in_pool_to_lower_max_size_of_merge>
    <number_of_free_entries_in_pool_to_execute_optimize_entire_partition>2</number_of_free_entries_in_pool_to_execute_optimize_entire_partition>
  </merge_tree>
</clickhouse>
`

// engineUsers has one user, for this machine only. It has no password, and any program on the machine may be
// that user: so it works on tables, but reads no files and calls no other server, which the user of this kind of
// engine otherwise may. Users made in SQL would have nowhere to be kept: the engine reads users from this file
// alone. GRANTS stands for what the user may do.
const engineUsers = `<clickhouse>
  <profiles><default/></profiles>
  <quotas><default/></quotas>
  <users>
    <default>
      <password></password>
      <networks><ip>127.0.0.1</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
      <grants>
GRANTS      </grants>
    </default>
  </users>
</clickhouse>
`

// engineGrants are the default user's. Table engines that read files or call other servers are left out.
func engineGrants() []string {
	grants := []string{
		"GRANT SHOW, SELECT, INSERT, ALTER, CREATE, DROP, UNDROP TABLE, TRUNCATE, OPTIMIZE, KILL QUERY, SYSTEM, INTROSPECTION, dictGet, CLUSTER, SHOW ACCESS, ALLOW SQL SECURITY NONE ON *.*",
		"GRANT SET DEFINER ON *",
	}
	for _, engine := range []string{
		"MergeTree", "ReplacingMergeTree", "SummingMergeTree", "AggregatingMergeTree", "CollapsingMergeTree", "VersionedCollapsingMergeTree", "CoalescingMergeTree",
		"Memory", "Log", "TinyLog", "StripeLog", "Null", "Buffer", "Merge", "Set", "Join", "Dictionary", "GenerateRandom", "EmbeddedRocksDB", "Alias", "Distributed",
	} {
		grants = append(grants, "GRANT TABLE ENGINE ON "+engine)
	}
	return grants
}

// writeEngineConfig writes both files into the folder and returns the main one's path.
func writeEngineConfig(dir string) (string, error) {
	users, config := filepath.Join(dir, "users.xml"), filepath.Join(dir, "config.xml")
	var grants strings.Builder
	for _, g := range engineGrants() {
		fmt.Fprintf(&grants, "        <query>%s</query>\n", escapeXML(g))
	}
	if err := os.WriteFile(users, []byte(strings.Replace(engineUsers, "GRANTS", grants.String(), 1)), 0o600); err != nil {
		return "", fmt.Errorf("write the engine's users: %w", err)
	}
	text := strings.ReplaceAll(engineConfig, "USERS", escapeXML(users))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return "", fmt.Errorf("write the engine's configuration: %w", err)
	}
	return config, nil
}

func escapeXML(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(s)) // a buffer does not fail
	return b.String()
}
