package stacks_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hydrant-go/hydrant/local"
	"github.com/hydrant-go/hydrant/local/stacks"
)

// Stacks survive a restart with all that is told of them, and go on from there.
func TestRestart(t *testing.T) {
	w := newWorld(t, local.Config{State: t.TempDir()})
	gone := w.create("gone", m{"Resources": m{"R": resource("AWS::CDK::Metadata", m{})}})
	w.settled("gone")
	w.delete("gone")
	w.settled(gone)
	w.create("s", pipeline(), func(in *cloudformation.CreateStackInput) {
		in.Parameters, in.ClientRequestToken = parameters("Size", "7"), aws.String("token")
	})
	w.want("s", types.StackStatusCreateComplete, "")
	if _, err := w.changeSet("s", "c", types.ChangeSetTypeUpdate, edited("Group", m{"RetentionInDays": 3})); err != nil {
		t.Fatal(err)
	}
	type told struct {
		Stack     types.Stack
		Gone      types.StackStatus
		Events    []string
		Changes   []string
		Resources []types.StackResource
		Real      []string
	}
	tell := func(w *world) (v told) {
		set, err := w.DescribeChangeSet(t.Context(), &cloudformation.DescribeChangeSetInput{StackName: aws.String("s"), ChangeSetName: aws.String("c")})
		if err != nil {
			t.Fatal(err)
		}
		list, err := w.DescribeStackResources(t.Context(), &cloudformation.DescribeStackResourcesInput{StackName: aws.String("s")})
		if err != nil {
			t.Fatal(err)
		}
		return told{w.describe("s"), w.describe(gone).StackStatus, w.events("s"), changes(set), list.StackResources, w.real()}
	}
	before := tell(w)
	w.stop()
	w = newWorld(t, w.cfg)
	unexported := cmpopts.IgnoreUnexported(types.Stack{}, types.Output{}, types.Parameter{}, types.Tag{}, types.RollbackConfiguration{}, types.StackDriftInformation{},
		types.StackResource{}, types.StackResourceDriftInformation{})
	if diff := cmp.Diff(before, tell(w), unexported); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
	check(t, "execute", w.execute("s", "c"), "ok")
	w.want("s", types.StackStatusUpdateComplete, "")
	w.wantRetention("/aws/kinesisfirehose/s", 3)
	id := *before.Stack.StackId
	w.delete("s")
	w.want(id, types.StackStatusDeleteComplete, "")
	w.wantNothing()
}

// killed is the world after a kill: with a copy of what it had written down.
func (w *world) killed() *world {
	w.t.Helper()
	cfg := w.cfg
	cfg.State = filepath.Join(w.t.TempDir(), "state")
	if err := os.CopyFS(cfg.State, os.DirFS(w.cfg.State)); err != nil {
		w.t.Fatal(err)
	}
	w.stop()
	return newWorld(w.t, cfg)
}

// What a kill has interrupted while something took its time is rolled back, or goes on.
func TestKilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, local.Config{State: t.TempDir(), StateDelay: time.Hour})
		id := w.create("s", pipeline())
		time.Sleep(time.Minute)
		w = w.killed()
		if st := w.describe("s"); st.StackStatus != types.StackStatusRollbackInProgress {
			t.Errorf("after the kill: %s", st.StackStatus)
		}
		time.Sleep(3 * time.Hour)
		w.want("s", types.StackStatusRollbackComplete, "")
		if told := of(w.events("s"), "stack"); told[1] != "ROLLBACK_IN_PROGRESS: The local CloudFormation was stopped meanwhile. Rollback requested by user." {
			t.Errorf("%q", told)
		}
		if got := of(w.events("s"), "Stream"); !slices.Contains(got, "CREATE_FAILED: Resource creation cancelled") {
			t.Errorf("%q", got)
		}
		w.wantNothing()
		w.delete("s")
		w.want(id, types.StackStatusDeleteComplete, "")

		id = w.create("s", pipeline())
		time.Sleep(2 * time.Hour)
		w.want("s", types.StackStatusCreateComplete, "")
		before := w.real()
		encrypted := pipeline()
		resources(encrypted)["Stream"].(m)["Properties"].(m)["DeliveryStreamEncryptionConfigurationInput"] = m{"KeyType": "AWS_OWNED_CMK"}
		resources(encrypted)["Extra"] = resource("AWS::S3::Bucket", m{})
		w.update("s", encrypted)
		time.Sleep(time.Minute)
		w = w.killed()
		time.Sleep(5 * time.Hour)
		w.want("s", types.StackStatusUpdateRollbackComplete, "")
		if diff := cmp.Diff(before, w.real()); diff != "" {
			t.Errorf("(-before +after):\n%s", diff)
		}

		w.delete("s")
		time.Sleep(time.Minute)
		w = w.killed()
		time.Sleep(5 * time.Hour)
		w.want(id, types.StackStatusDeleteComplete, "")
		w.wantNothing()

		// One that is not rolled back stays.
		id = w.create("stay", pipeline(), func(in *cloudformation.CreateStackInput) { in.OnFailure = types.OnFailureDoNothing })
		time.Sleep(time.Minute)
		w = w.killed()
		w.want("stay", types.StackStatusCreateFailed, "The local CloudFormation was stopped meanwhile. ")
		w.delete("stay")
		time.Sleep(5 * time.Hour)
		w.want(id, types.StackStatusDeleteComplete, "")
		w.wantNothing()
	})
}

// A file that is damaged, or of another version, is named.
func TestDamagedFiles(t *testing.T) {
	for text, want := range map[string]string{
		"{":  "it is damaged: unexpected EOF",
		"{}": `it is of the format "", version 0; this hydrant reads "hydrant stack", version 1`,
		`{"Format": "hydrant stack", "Version": 1}`:                                                                                            "it is damaged: there is no stack in it",
		`{"Format": "hydrant stack", "Version": 2}`:                                                                                            "version 2; this hydrant reads",
		`{"Format": "hydrant stack", "Version": 1, "Stack": {"ID": "a/b", "Resources": {"X": {"Type": "Y"}}}}`:                                 "it has a resource of the type Y",
		`{"Format": "hydrant stack", "Version": 1, "Stack": {"ID": "a/b", "Status": "UPDATE_IN_PROGRESS"}}`:                                    "it is damaged",
		`{"Format": "hydrant stack", "Version": 1, "Stack": {"ID": "a/b", "Status": "NONSENSE_IN_PROGRESS"}}`:                                  "it is damaged",
		`{"Format": "hydrant stack", "Version": 1, "Stack": {"ID": "a/b", "Resources": {"X": null}}}`:                                          "it is damaged",
		`{"Format": "hydrant stack", "Version": 1, "Stack": {"ID": "a/b", "Resources": {"X": {"Type": "AWS::S3::Bucket", "Properties": []}}}}`: "it is damaged",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "b.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := stacks.Open(stacks.Config{Dir: dir})
		if err == nil {
			s.Start()
			_ = s.Close()
			t.Errorf("%s is opened", text)
			continue
		}
		if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "b.json") || !strings.Contains(err.Error(), "\nhint: ") {
			t.Errorf("%s: %v\nwant %s", text, err, want)
		}
	}
}

// Of deleted stacks the last hundred are known, in the files too.
func TestForgotten(t *testing.T) {
	w := newWorld(t, local.Config{State: t.TempDir()})
	template := m{"Resources": m{"R": resource("AWS::CDK::Metadata", m{})}}
	var ids []string
	for range 105 {
		ids = append(ids, w.create("s", template))
		w.delete("s")
		w.settled(ids[len(ids)-1])
	}
	files, err := filepath.Glob(filepath.Join(w.cfg.State, "stacks", "*"))
	if err != nil || len(files) != 100 {
		t.Errorf("%d files, %v", len(files), err)
	}
	_, err = w.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: &ids[4]})
	check(t, "an old one", err, "ValidationError: Stack with id "+ids[4]+" does not exist")
	w.want(ids[5], types.StackStatusDeleteComplete, "")
}
