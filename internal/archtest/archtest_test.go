// Package archtest holds the project's import rules as a test. See docs/DESIGN.md.
package archtest

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/hydrant-go/hydrant"

// rooms is what each package may import of the project, in its code that is not
// a test. "" is the producer, "…" at the end stands for all below.
var rooms = map[string][]string{
	"":                 {"spool", "wire", "internal/keepbody", "internal/pace", "internal/vfs"},
	"wire":             {},
	"source":           {"internal/vfs"},
	"spool":            {"internal/vfs"},
	"admin":            {"wire"},
	"cwlog":            {"wire"},
	"infra":            {"admin", "internal/keepbody"},
	"server":           {"internal/awsapi", "wire"},
	"local/cloudwatch": {"internal/awsapi", "internal/vfs", "wire"},
	"local/logs":       {"internal/awsapi", "internal/vfs", "wire"},
	"local/stacks":     {"internal/awsapi", "internal/vfs", "local/logs", "local/stacks/template", "wire"},
	"internal/awsapi":  {"wire"},
	"local": {
		"internal/awsapi", "internal/vfs", "local/cloudwatch", "local/convert", "local/deliver", "local/deliver/file", "local/deliver/http", "local/deliver/s3",
		"local/logs", "local/objects", "local/page", "local/process", "local/stacks", "server", "spool", "wire",
	},
	"server/conformance":        {"local", "local/convert", "local/process", "server"},
	"server/conformance/score":  {"server/conformance"},
	"local/deliver":             {"wire"},
	"local/process":             {"wire"},
	"local/deliver/file":        {"local/deliver"},
	"local/deliver/delivertest": {"local/deliver"},
	"local/deliver/http":        {},
	"local/deliver/s3":          {"local/deliver"},
	"local/objects":             {"local/deliver/file", "wire"},
	"local/page":                {},
	"local/stacks/template":     {},
	"local/convert":             {},
	"hydranttest":               {"local", "local/deliver", "local/deliver/file", "server", "wire", "internal/keepbody", "internal/memnet"},
	"scenario":                  {"", "admin", "local", "server", "wire"},
	"cmd/hydrant":               {"…"},
	"examples/putrecord":        {},
	"examples/putrecordbatch":   {},
	"examples/producer":         {""},
	"examples/tenants":          {""},
	"internal/hostile":          {},
	"internal/keepbody":         {},
	"internal/memnet":           {},
	"internal/pace":             {},
	"internal/serve":            {},
	"internal/testkit":          {},
	"internal/soak":             {"", "internal/hostile", "local", "server", "spool", "wire"},
	"internal/ui":               {},
	"internal/vfs":              {},
}

// links is what a package may link beyond the standard library, directly or
// not: who imports the producer gets the AWS SDK and little else.
var links = map[string][]string{
	"": {
		module, "github.com/aws/aws-sdk-go-v2", "github.com/aws/smithy-go", "github.com/klauspost/compress", "github.com/segmentio/asm", "golang.org/x/sys/cpu",
		"github.com/gofrs/flock", "golang.org/x/sys/unix", "golang.org/x/sync/semaphore",
	},
	"cwlog": {module, "github.com/aws/aws-sdk-go-v2", "github.com/aws/smithy-go", "github.com/segmentio/asm", "golang.org/x/sys/cpu"},
	"wire":  {module, "github.com/segmentio/asm", "golang.org/x/sys/cpu"},
	"spool": {module, "github.com/gofrs/flock", "golang.org/x/sys/unix"},
	"source": {
		module, "github.com/klauspost/compress", "github.com/segmentio/asm", "github.com/segmentio/encoding", "golang.org/x/sys/cpu",
		"github.com/bmatcuk/doublestar/v4", "github.com/fsnotify/fsnotify", "github.com/gofrs/flock", "golang.org/x/sys/unix",
	},
}

// owners are the only packages that may import what is large: others ask them.
var owners = map[string]string{"github.com/parquet-go/parquet-go": "local/convert"}

type listed struct {
	ImportPath string
	Imports    []string
	Deps       []string
	GoFiles    []string
	Standard   bool
}

func list(t *testing.T, args ...string) []listed {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports,Deps,GoFiles,Standard"}, args...)...)
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	var packages []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := dec.Decode(&p); err == io.EOF {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

// room is a package's key in rooms; false for a package of somebody else.
func room(path string) (string, bool) {
	if path == module {
		return "", true
	}
	return strings.CutPrefix(path, module+"/")
}

func TestImportsRunOneWay(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range list(t, "./...") {
		name, _ := room(p.ImportPath)
		seen[name] = true
		allowed, ok := rooms[name]
		if !ok {
			if len(p.GoFiles) > 0 {
				t.Errorf("package %q has no row in rooms: add one that says what it may import, and one in docs/DESIGN.md", name)
			}
			continue
		}
		for _, imp := range p.Imports {
			if target, ours := room(imp); ours && !slices.Contains(allowed, target) && !slices.Contains(allowed, "…") {
				t.Errorf("package %q imports %q, which its row in rooms does not allow: data flows one way (docs/DESIGN.md)", name, target)
			}
			if owner, ok := owners[imp]; ok && owner != name {
				t.Errorf("package %q imports %s, which only %q may", name, imp, owner)
			}
		}
	}
	for name := range rooms {
		if !seen[name] {
			t.Errorf("rooms has a row for package %q, which is not there: delete it", name)
		}
	}
}

func TestLinksLittle(t *testing.T) {
	standard := map[string]bool{}
	for _, p := range list(t, "-deps", "./...") {
		standard[p.ImportPath] = p.Standard
	}
	for _, p := range list(t, "./...") {
		name, _ := room(p.ImportPath)
		allowed, ok := links[name]
		if !ok {
			continue
		}
		for _, dep := range p.Deps {
			within := func(prefix string) bool { return dep == prefix || strings.HasPrefix(dep, prefix+"/") }
			if !standard[dep] && !slices.ContainsFunc(allowed, within) {
				t.Errorf("package %q links %s, which its row in links does not allow", name, dep)
			}
		}
	}
}
