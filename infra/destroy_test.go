package infra_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant/admin"
	"github.com/hydrant-go/hydrant/infra"
)

// deployed is a cloud with a stack and so many objects of 10 bytes in its bucket.
func deployed(t *testing.T, objects int) *cloud {
	t.Helper()
	c := newCloud(t)
	if _, err := infra.Deploy(t.Context(), infra.DeployOptions{AWS: c.config()}); err != nil {
		t.Fatal(err)
	}
	for i := range objects {
		c.put("hydrant-bucket", fmt.Sprintf("data/%05d", i))
	}
	c.calls = nil
	return c
}

// left tells what is in the bucket: -1 for no bucket.
func (c *cloud) left(bucket string) int {
	n := 0
	err := filepath.WalkDir(filepath.Join(c.dir, bucket), func(_ string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			n++
		}
		return err
	})
	if err != nil {
		return -1
	}
	return n
}

func TestInspect(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := deployed(t, 3)
		s := c.stacks[0]
		resource("Role", "AWS::IAM::Role", "r", "CREATE_COMPLETE")(c, s)
		resource("Gone", "AWS::IAM::Role", "gone", "DELETE_COMPLETE")(c, s)
		resource("Never", bucketType, "somebody-elses", "CREATE_FAILED")(c, s)
		resource("Kept", bucketType, "kept", "CREATE_COMPLETE")(c, s)
		s.template = "Resources:\n  Kept:\n    Type: AWS::S3::Bucket\n    DeletionPolicy: RetainExceptOnCreate\n  Bucket: {Type: AWS::S3::Bucket, Properties: {Tags: !Ref x}}\n"
		got, err := infra.Inspect(t.Context(), c.config(), "hydrant")
		want := &infra.Inventory{
			Stack: "hydrant", StackID: s.id, Region: "eu-west-1", Account: "123456789012", Status: "CREATE_COMPLETE",
			Streams: []string{"hydrant-stream"},
			Buckets: []infra.Bucket{{Name: "hydrant-bucket", Emptied: admin.Emptied{Versions: 3, Bytes: 30}}},
			Others:  []infra.Resource{{LogicalID: "Role", Type: "AWS::IAM::Role", PhysicalID: "r", Status: "CREATE_COMPLETE"}},
			Kept:    []infra.Resource{{LogicalID: "Kept", Type: bucketType, PhysicalID: "kept", Status: "CREATE_COMPLETE"}},
		}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		if n := c.left("hydrant-bucket"); n != 3 || len(c.orders()) > 0 {
			t.Errorf("%d objects are left, calls %q", n, c.calls)
		}
		if _, err := infra.Inspect(t.Context(), c.config(), "nope"); !errors.Is(err, admin.ErrNoStack) {
			t.Errorf("no stack: %v", err)
		}
	})
}

func TestDestroy(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, l := deployed(t, 2500), &told{}
		var emptied []int64
		callbacks := l.callbacks()
		callbacks.Emptied = func(bucket string, sum admin.Emptied) { emptied = append(emptied, sum.Versions) }
		got, err := infra.Destroy(t.Context(), infra.DestroyOptions{AWS: c.config(), Callbacks: callbacks})
		want := &infra.Destroyed{
			Stack: "hydrant", Region: "eu-west-1", Account: "123456789012", Found: true, Deleted: true, Kept: []infra.Resource{},
			Buckets: []infra.Bucket{{Name: "hydrant-bucket", Emptied: admin.Emptied{Versions: 2500, Bytes: 25_000}}},
		}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		if !slices.Equal(emptied, []int64{1000, 2000, 2500}) || c.left("hydrant-bucket") != -1 {
			t.Errorf("emptied %v, left %d", emptied, c.left("hydrant-bucket"))
		}
		if want := []string{"hydrant DELETE_IN_PROGRESS", "Stream DELETE_COMPLETE", "Bucket DELETE_COMPLETE", "hydrant DELETE_COMPLETE"}; !slices.Equal(l.lines(), want) {
			t.Errorf("events %q", l.lines())
		}
		if !slices.Equal(c.orders(), []string{"DeleteStack"}) {
			t.Errorf("orders %q", c.orders())
		}
		// Once more, and what was never there.
		for _, name := range []string{"hydrant", "nope"} {
			got, err := infra.Destroy(t.Context(), infra.DestroyOptions{AWS: c.config(), Stack: name})
			if err != nil || got.Found || got.Deleted || got.Region != "eu-west-1" {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
		}
	})
}

// What Firehose delivers while the stack is being deleted is removed at the next look,
// and the deletion does not fail.
func TestDestroyEmptiesMeanwhile(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := deployed(t, 1)
		c.remove = [][]step{{
			deliver("hydrant-bucket", "late/1"), deliver("hydrant-bucket", "late/2"), resource("Stream", streamType, "hydrant-stream", "DELETE_COMPLETE"),
			func(*cloud, *stack) {}, removeBucket("Bucket", "hydrant-bucket"), ending,
		}}
		got, err := infra.Destroy(t.Context(), infra.DestroyOptions{AWS: c.config()})
		if err != nil || !got.Deleted || got.Buckets[0].Versions != 3 || len(c.orders()) != 1 {
			t.Errorf("%+v, %v, orders %q", got, err, c.orders())
		}
	})
}

// What comes into the bucket at the last moment makes the deletion fail: it is emptied
// and deleted again. Bounded, as somebody may write for ever.
func TestDestroyEmptiesAgain(t *testing.T) {
	late := func(i int) []step {
		return []step{func(c *cloud, s *stack) {
			deliver("hydrant-bucket", fmt.Sprintf("late/%d", i))(c, s)
			removeBucket("Bucket", "hydrant-bucket")(c, s)
		}, ending}
	}
	// Here what was in the way is gone by the time that the stack's failure shows.
	swept := []step{func(c *cloud, s *stack) {
		deliver("hydrant-bucket", "late/0")(c, s)
		removeBucket("Bucket", "hydrant-bucket")(c, s)
	}, func(*cloud, *stack) {}, ending}
	for _, tc := range []struct {
		name     string
		scripts  [][]step
		versions int64
		orders   int
		err      string
	}{
		{"once", [][]step{late(0), {removeBucket("Bucket", "hydrant-bucket"), ending}}, 3, 2, ""},
		{"swept", [][]step{swept, {removeBucket("Bucket", "hydrant-bucket"), ending}}, 3, 2, ""},
		{"three times", [][]step{late(0), late(1), late(2), {removeBucket("Bucket", "hydrant-bucket"), ending}}, 5, 4, ""},
		{"for ever", [][]step{late(0)}, 0, 10, "something writes to it all the time\nhint: stop that"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				c, l := deployed(t, 2), &told{}
				c.remove = tc.scripts
				got, err := infra.Destroy(t.Context(), infra.DestroyOptions{AWS: c.config(), Callbacks: l.callbacks()})
				if len(c.orders()) != tc.orders {
					t.Errorf("orders %q, want %d", c.orders(), tc.orders)
				}
				if tc.err != "" {
					if err == nil || !strings.Contains(err.Error(), tc.err) {
						t.Errorf("%v, want %q", err, tc.err)
					}
					return
				}
				if err != nil || !got.Deleted || got.Buckets[0].Versions != tc.versions || c.left("hydrant-bucket") != -1 {
					t.Errorf("%+v, %v", got, err)
				}
				if len(l.said) != tc.orders-1 || !strings.Contains(l.said[0], "had come into a bucket") {
					t.Errorf("said %q", l.said)
				}
				if order := strings.Join(l.lines(), "; "); !strings.Contains(order, "hydrant DELETE_FAILED; hydrant DELETE_IN_PROGRESS; ") {
					t.Errorf("events %q", l.lines())
				}
			})
		})
	}
}

// A failure that emptying does not help is shown with its cause, and nothing is tried
// again.
func TestDestroyFails(t *testing.T) {
	for name, script := range map[string][]step{
		"role":   {removeBucket("Bucket", "hydrant-bucket"), because("Role", "AWS::IAM::Role", "r", "DELETE_FAILED", "Cannot delete entity"), ending},
		"bucket": {because("Bucket", bucketType, "hydrant-bucket", "DELETE_FAILED", "Cannot delete entity"), ending},
	} {
		bubble(t, func(t *testing.T) {
			c := deployed(t, 2)
			c.remove = [][]step{script}
			_, err := infra.Destroy(t.Context(), infra.DestroyOptions{AWS: c.config()})
			if err == nil || !strings.Contains(err.Error(), "stack hydrant is DELETE_FAILED: AWS::") || !strings.Contains(err.Error(), ": Cannot delete entity\nhint: once the cause is gone, the same command goes on") || len(c.orders()) != 1 {
				t.Errorf("%s: %v, orders %q", name, err, c.orders())
			}
		})
	}
}

// An interrupted Destroy is finished by the next, wherever it was.
func TestDestroyAgain(t *testing.T) {
	for _, tc := range []struct {
		name   string
		held   int    // objects
		after  string // which call the interrupt comes
		calls  int    // of that kind
		status string // of the stack then
		orders int    // of the second one
	}{
		{"while it empties", 1010, "", 0, "CREATE_COMPLETE", 1},
		{"before the order", 3, "DescribeStackEvents", 1, "CREATE_COMPLETE", 1},
		{"while it waits", 3, "DescribeStackEvents", 2, "DELETE_IN_PROGRESS", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				c := deployed(t, tc.held)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				n := 0
				c.answer = func(action string, _ url.Values) string {
					if action == tc.after {
						if n++; n == tc.calls {
							cancel()
						}
					}
					return ""
				}
				callbacks := infra.Callbacks{}
				if tc.after == "" {
					callbacks.Emptied = func(string, admin.Emptied) { cancel() }
				}
				_, err := infra.Destroy(ctx, infra.DestroyOptions{AWS: c.config(), Callbacks: callbacks})
				if !errors.Is(err, context.Canceled) || c.stacks[0].status != tc.status {
					t.Fatalf("interrupted: %v, stack is %s", err, c.stacks[0].status)
				}
				if tc.after == "" && c.left("hydrant-bucket") != 10 {
					t.Errorf("%d objects are left", c.left("hydrant-bucket"))
				}
				c.put("hydrant-bucket", "meanwhile")
				c.calls = nil
				l := &told{}
				got, err := infra.Destroy(t.Context(), infra.DestroyOptions{AWS: c.config(), Callbacks: l.callbacks()})
				if err != nil || !got.Deleted || c.left("hydrant-bucket") != -1 || c.find("hydrant") != nil {
					t.Errorf("%+v, %v", got, err)
				}
				if len(c.orders()) < tc.orders {
					t.Errorf("orders %q, want %d", c.orders(), tc.orders)
				}
				if lines := l.lines(); lines[0] != "hydrant DELETE_IN_PROGRESS" || lines[len(lines)-1] != "hydrant DELETE_COMPLETE" {
					t.Errorf("events %q", lines)
				}
			})
		})
	}
}

// A deletion that has failed is given again, and one of somebody's creation or update
// comes after that.
func TestDestroyStates(t *testing.T) {
	for _, tc := range []struct {
		status string
		script []step
		said   string
	}{
		{"DELETE_FAILED", nil, ""},
		{"ROLLBACK_COMPLETE", nil, ""},
		{"ROLLBACK_FAILED", nil, ""},
		{"UPDATE_ROLLBACK_FAILED", nil, ""},
		{"REVIEW_IN_PROGRESS", nil, ""},
		{"UPDATE_IN_PROGRESS", []step{func(*cloud, *stack) {}, func(*cloud, *stack) {}, state("UPDATE_COMPLETE")}, "is UPDATE_IN_PROGRESS: waiting for that first"},
		{"DELETE_IN_PROGRESS", []step{func(*cloud, *stack) {}, func(*cloud, *stack) {}, removeBucket("Bucket", "hydrant-bucket"), ending}, "is being deleted already"},
	} {
		bubble(t, func(t *testing.T) {
			c, l := deployed(t, 5), &told{}
			state(tc.status)(c, c.stacks[0])
			c.stacks[0].script = tc.script
			got, err := infra.Destroy(t.Context(), infra.DestroyOptions{AWS: c.config(), Callbacks: l.callbacks()})
			if err != nil || !got.Deleted || got.Buckets[0].Versions != 5 || c.left("hydrant-bucket") != -1 {
				t.Errorf("%s: %+v, %v", tc.status, got, err)
			}
			if (tc.said == "") != (len(l.said) == 0) || !strings.Contains(strings.Join(l.said, "\n"), tc.said) {
				t.Errorf("%s: said %q", tc.status, l.said)
			}
		})
	}
}

// What the template keeps is neither emptied nor deleted, and nothing else's is touched.
func TestDestroyKeeps(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := deployed(t, 5)
		c.put("kept", "precious")
		c.put("somebody-elses", "precious")
		s := c.stacks[0]
		resource("Kept", bucketType, "kept", "CREATE_COMPLETE")(c, s)
		resource("Never", bucketType, "somebody-elses", "CREATE_FAILED")(c, s)
		s.template = `{"Resources": {"Kept": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain"}, "Bucket": {"Type": "AWS::S3::Bucket"}}}`
		c.remove = [][]step{{removeBucket("Bucket", "hydrant-bucket"), resource("Kept", bucketType, "kept", "DELETE_SKIPPED"), ending}}
		got, err := infra.Destroy(t.Context(), infra.DestroyOptions{AWS: c.config()})
		if err != nil || !got.Deleted || len(got.Buckets) != 1 || len(got.Kept) != 1 || got.Kept[0].PhysicalID != "kept" {
			t.Errorf("%+v, %v", got, err)
		}
		if c.left("kept") != 1 || c.left("somebody-elses") != 1 || c.left("hydrant-bucket") != -1 {
			t.Errorf("left %d and %d", c.left("kept"), c.left("somebody-elses"))
		}
	})
}

// Before anything is lost it is known whether it may be.
func TestDestroyRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil func(*cloud)
		want  string
	}{
		"protected":                  {func(c *cloud) { c.stacks[0].protected = true }, "has termination protection\nhint: aws cloudformation update-termination-protection"},
		"a template nobody can read": {func(c *cloud) { c.stacks[0].template = "\t{" }, "read the template"},
		"no template": {func(c *cloud) {
			c.answer = func(action string, _ url.Values) string {
				if action == "GetTemplate" {
					return refusal("AccessDenied", "User: u is not authorized to perform: cloudformation:GetTemplate on resource: r")
				}
				return ""
			}
		}, "allow cloudformation:GetTemplate"},
	} {
		bubble(t, func(t *testing.T) {
			c := deployed(t, 5)
			tc.spoil(c)
			_, err := infra.Destroy(t.Context(), infra.DestroyOptions{AWS: c.config()})
			if err == nil || !strings.Contains(admin.Explain(err).Error(), tc.want) || c.left("hydrant-bucket") != 5 || len(c.orders()) > 0 {
				t.Errorf("%s: %v, %d objects left, orders %q", name, err, c.left("hydrant-bucket"), c.orders())
			}
		})
	}
	if _, err := infra.Destroy(t.Context(), infra.DestroyOptions{Stack: "a_b"}); err == nil || !strings.Contains(err.Error(), "begins with a letter") {
		t.Errorf("a name that cannot be: %v", err)
	}
}

func TestDestroyNoWait(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := deployed(t, 5)
		got, err := infra.Destroy(t.Context(), infra.DestroyOptions{AWS: c.config(), NoWait: true})
		if err != nil || !got.Found || got.Deleted || c.stacks[0].status != "DELETE_IN_PROGRESS" || c.left("hydrant-bucket") != 0 {
			t.Errorf("%+v, %v, stack is %s", got, err, c.stacks[0].status)
		}
	})
}

func TestStreamName(t *testing.T) {
	for _, tc := range []struct {
		script []step
		want   string
		err    string
	}{
		{[]step{output("StreamName", "x"), state("CREATE_COMPLETE")}, "x", ""},
		{[]step{state("CREATE_IN_PROGRESS")}, "", "has no output StreamName yet\nhint: hydrant deploy --stack s waits for it"},
		{[]step{state("ROLLBACK_COMPLETE")}, "", "is ROLLBACK_COMPLETE, and has no outputs\nhint: hydrant deploy --stack s sets it up"},
		{[]step{output("B", "x"), output("A", "x"), state("CREATE_COMPLETE")}, "", "has no output StreamName, but A, B\nhint: its template is not Hydrant's"},
		{nil, "", "there is no such stack"},
	} {
		c := newCloud(t)
		if tc.script != nil {
			c.has("s", tc.script...)
		}
		all, err := infra.Outputs(t.Context(), c.config(), "s")
		if all["StreamName"] != tc.want || (err == nil) != (tc.script != nil) {
			t.Errorf("outputs %v, %v", all, err)
		}
		got, err := infra.StreamName(t.Context(), c.config(), "s")
		if got != tc.want || (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
			t.Errorf("%q, %v, want %q, %q", got, err, tc.want, tc.err)
		}
	}
}
