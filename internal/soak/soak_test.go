package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"os/exec"
	"strconv"
	"testing"
)

var kills = flag.Int("kills", 3, "how often a process is killed")

// The long runs are make crash.
func TestSoak(t *testing.T) {
	for _, name := range []string{"crash", "hostile", "local", "rotate"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath("logrotate"); name == "rotate" && err != nil {
				t.Skip("logrotate is not installed")
			}
			var out, log bytes.Buffer
			want := *kills
			if name == "hostile" {
				want = 0 // nothing is killed
			}
			err := run([]string{name, "-kills", strconv.Itoa(*kills)}, &out, &log)
			if err != nil {
				t.Fatalf("%v\n%s%s", err, &log, &out)
			}
			var res struct{ Kills, Lost *int }
			if err := json.Unmarshal(out.Bytes(), &res); err != nil || res.Kills == nil || *res.Kills < want || res.Lost == nil || *res.Lost != 0 {
				t.Errorf("%s, %v", &out, err)
			}
		})
	}
}
