package collector_test

import (
	"os/exec"
	"testing"
	"time"
)

func TestZZSchemathesis(t *testing.T) {
	r := openAPIRig(t, nil)
	begin := time.Now()
	cmd := exec.CommandContext(t.Context(), "/tmp/schemas/venv/bin/st", "run", "../../schemas/openapi/collector.yaml", "--url", r.url, "-H", "Authorization: "+asShop(),
		"--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,response_headers_conformance", "--max-examples", "8", "--phases", "examples,fuzzing", "--seed", "1", "--mode", "all", "--max-redirects", "0", "--continue-on-failure")
	out, err := cmd.CombinedOutput()
	t.Logf("%s\n%v %v", out, err, time.Since(begin))
}
