package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

var e2e = flag.Bool("e2e", false, "run the scripts of testdata/e2e, which deploy to a hydrant local; make e2e-local installs the CDK CLI for them")

// TestDeployments sets the stack up by each tool in turn, uses it, and takes it down
// again, on a hydrant local of its own: a script reads as its user would type it.
func TestDeployments(t *testing.T) {
	if !*e2e {
		t.Skip("without -e2e, as the CDK takes half a minute: make e2e-local runs it")
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/e2e",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			repository, err := filepath.Abs("../..")
			if err != nil {
				return err
			}
			env.Vars = append(env.Vars, "HOME="+env.WorkDir, "AWS_EC2_METADATA_DISABLED=true", "REPOSITORY="+repository, "NO_PROXY=*")
			for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOPROXY", "GOSUMDB", "GOFLAGS"} { // the CDK app is run by go
				value, err := exec.Command("go", "env", name).Output()
				if err != nil {
					return err
				}
				env.Vars = append(env.Vars, name+"="+strings.TrimSpace(string(value)))
			}
			return nil
		},
		Condition: func(name string) (bool, error) {
			switch name {
			case "cdk":
				_, err := os.Stat("../../cdk/node_modules/.bin/cdk")
				return err == nil, nil
			case "aws":
				_, err := exec.LookPath("aws")
				return err == nil, nil
			}
			return false, errors.New("unknown condition")
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":     exits,
			"jsonfield": jsonField,
			"local":     localForScript,
			"lines":     countLines,
			"nothing":   nothingIn,
			"until":     runUntil,
		},
	})
}

// localForScript FLAG… starts hydrant local, which delivers into $WORK/s3, and points the
// SDKs at it.
func localForScript(ts *testscript.TestScript, _ bool, args []string) {
	path, err := exec.LookPath("hydrant")
	ts.Check(err)
	cmd := exec.Command(path, append([]string{"local", "--addr", "127.0.0.1:0", "--dir", ts.MkAbs("s3"), "--json"}, args...)...)
	cmd.Env = os.Environ()
	cmd.Stderr = ts.Stderr()
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	ts.Defer(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		force := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
		defer force.Stop()
		if err := cmd.Wait(); err != nil {
			ts.Logf("hydrant local: %v", err)
		}
	})
	var site struct {
		Endpoint string `json:"endpoint"`
		Key      string `json:"access_key_id"`
		Secret   string `json:"secret_access_key"`
		Region   string `json:"region"`
	}
	ts.Check(json.NewDecoder(out).Decode(&site))
	go io.Copy(io.Discard, out) // ends with the process
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": site.Endpoint, "AWS_ACCESS_KEY_ID": site.Key, "AWS_SECRET_ACCESS_KEY": site.Secret,
		"AWS_REGION": site.Region, "AWS_DEFAULT_REGION": site.Region,
	} {
		ts.Setenv(name, value)
	}
}

// countLines N DIR counts the lines of all objects below a folder.
func countLines(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := bytes.Count(objectsIn(ts, ts.MkAbs(args[1])), []byte("\n")); got != want {
		ts.Fatalf("there are %d lines in %s, want %d", got, args[1], want)
	}
}

// nothingIn DIR wants no file there, but for what hydrant local itself keeps.
func nothingIn(ts *testscript.TestScript, _ bool, args []string) {
	root := ts.MkAbs(args[0])
	ts.Check(filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || path == root:
			return err
		case strings.HasPrefix(d.Name(), "."):
			return filepath.SkipDir
		}
		return errors.New(path + " is left")
	}))
}

// runUntil PATTERN COMMAND… runs a command again and again until its stdout matches.
func runUntil(ts *testscript.TestScript, _ bool, args []string) {
	want := regexp.MustCompile(args[0])
	for deadline := time.Now().Add(time.Minute); ; {
		_ = ts.Exec(args[1], args[2:]...)
		if want.MatchString(ts.ReadFile("stdout")) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s: nothing on stdout matches %s in a minute", strings.Join(args[1:], " "), args[0])
		}
	}
}
