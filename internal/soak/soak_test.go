package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"strconv"
	"testing"
)

var kills = flag.Int("kills", 3, "how often a process is killed")

// The long runs are make crash and make rotate. Of the latter no short run is here
// yet: rotations tens of milliseconds apart, by copytruncate with compression, with a
// kill in between, still lose lines now and then.
func TestSoak(t *testing.T) {
	for _, name := range []string{"crash"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out, log bytes.Buffer
			err := run([]string{name, "-kills", strconv.Itoa(*kills)}, &out, &log)
			if err != nil {
				t.Fatalf("%v\n%s%s", err, &log, &out)
			}
			var res struct{ Kills, Lost *int }
			if err := json.Unmarshal(out.Bytes(), &res); err != nil || res.Kills == nil || *res.Kills < *kills || res.Lost == nil || *res.Lost != 0 {
				t.Errorf("%s, %v", &out, err)
			}
		})
	}
}
