package local

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // all of the names, on every system

	"github.com/hydrant-go/hydrant/server"
	"github.com/hydrant-go/hydrant/wire"
)

// TestZones: the names on AWS's list are there, and those that AWS was seen to refuse
// are not.
func TestZones(t *testing.T) {
	n := 0
	for area, places := range zones {
		for _, place := range places {
			n++
			if _, err := zone(area + "/" + place); err != nil || !hasZone(area+"/"+place) {
				t.Errorf("%s/%s: %v", area, place, err)
			}
		}
	}
	if n != 294 {
		t.Errorf("%d zones, the developer guide has 294", n)
	}
	for name, want := range map[string]bool{
		"UTC": true, "Asia/Tokyo": true, "Asia/Calcutta": true, "Europe/Kiev": true,
		"Asia/Kolkata": false, "Europe/Kyiv": false, "EST": false, "Mars/Phobos": false, "": false, "Asia": false, "Asia/": false, "GMT": false,
	} {
		if got := hasZone(name); got != want {
			t.Errorf("hasZone(%q) = %t", name, got)
		}
	}
}

// TestUpdateIsAdmitted: an update may not bring in what no stream can be made with.
func TestUpdateIsAdmitted(t *testing.T) {
	b := backend(t, Config{}, 5, 900)
	for want, edit := range map[string]func(*server.S3Destination){
		"Invalid conversion character": func(d *server.S3Destination) {
			d.Prefix, d.ErrorOutputPrefix = "!{timestamp:ppppppppMMMM}/", "e/"
		},
		"Provided custom time zone": func(d *server.S3Destination) { d.CustomTimeZone = "Europe/Kyiv" },
	} {
		err := b.UpdateDestination(t.Context(), me, &server.UpdateDestinationInput{
			DeliveryStreamName: "s", CurrentVersionID: "1", DestinationID: destinationID,
			Apply: func(d server.Destination) (server.Destination, error) {
				s3 := *d.S3
				edit(&s3)
				return server.Destination{S3: &s3}, nil
			},
		})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if v := describe(t, b, "s").VersionID; v != "1" {
		t.Errorf("the version is %s after updates that were refused", v)
	}
}

// TestRestoreAdmitsAll: a stream that was made by a hydrant that knew less is brought
// back, and delivers.
func TestRestoreAdmitsAll(t *testing.T) {
	b := pipeline(t, Config{State: t.TempDir()}, bucketOf(func(d *server.S3Destination) {
		d.Prefix, d.CustomTimeZone = "!{timestamp:pppppppppMMMM}/", "Asia/Calcutta"
	}))
	put(t, b, "x")
	cfg := crashed(t, b)
	cfg.Dir = t.TempDir()
	name := filepath.Join(cfg.State, settingsName)
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	month := time.Now().In(time.FixedZone("IST", 5*60*60+30*60)).Format("January")
	fits := strings.Repeat("p", len(month)) + "MMMM" // this month; one more would do for September only
	old := strings.NewReplacer("Asia/Calcutta", "Asia/Kolkata", "pppppppppMMMM", fits).Replace(string(text))
	if err := os.WriteFile(name, []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := byFolder(t, restarted(t, cfg)); got[month] != "x" {
		t.Errorf("delivered: %q", got)
	}
}

// TestPartitionedWithBackup: the keys of a query belong into the prefix of the
// destination, not into that of its backup.
func TestPartitionedWithBackup(t *testing.T) {
	b := pipeline(t, Config{}, bucketOf(func(d *server.S3Destination) {
		d.Prefix, d.Partitioning = "c=!{partitionKeyFromQuery:c}/", &server.Partitioning{Enabled: true, RetrySeconds: 300}
		d.Processing = processors(processor("MetadataExtraction", "MetadataExtractionQuery", "{c: .c}", "JsonParsingEngine", "JQ-1.6"))
		source := s3Destination("bucket")
		source.Prefix = "source/!{timestamp:'all'}/"
		d.BackupMode, d.Backup = "Enabled", &source
	}))
	put(t, b, `{"c":"a"}`)
	if got := byFolder(t, b); got["c=a"] != `{"c":"a"}` || got["source/all"] != `{"c":"a"}` {
		t.Errorf("delivered: %q", got)
	}
}

// A zone that the machine does not know, but AWS does, is told apart.
func TestZoneOfAnotherMachine(t *testing.T) {
	zones["Nowhere"] = []string{"Land"}
	defer delete(zones, "Nowhere")
	_, err := zone("Nowhere/Land")
	if e, ok := err.(*wire.Error); !ok || !strings.Contains(e.Message, "This machine's time zone data has no Nowhere/Land") {
		t.Errorf("zone: %v", err)
	}
}
