package main

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hydrant-go/hydrant/server/conformance"
)

const head = `# Conformance

What is known of the answers of Amazon Data Firehose, as %d cases. The local Firehose (what hydrant local and package hydranttest
run) and %s are called by two of AWS's SDKs, that for Go and %s, without retries. So many cases pass:

%s
## Run it

    make conformance                                                 # all of it; writes this page
    go test ./server/conformance                                     # the local Firehose, by both SDKs
    go run ./server/conformance/score -endpoint URL -client boto3    # any endpoint; prints what differs

boto3 and moto come by python3 -m pip install boto3 'moto[server]'; what is missing is told, and not run.

-client is go or boto3; -key and -secret are for the signatures, and test and test by themselves. An endpoint is an emulator without
streams: AWS itself would want roles and buckets that are there. The cases are of us-east-1 and the account 123456789012. For a
hydrant local that is

    hydrant local --ephemeral --account 123456789012 --credentials test:test --table db.t=id:bigint
    go run ./server/conformance/score -endpoint http://127.0.0.1:4573 -flush

where -flush has it deliver before objects are read. Two cases fail there, for want of a Lambda function.

## How to read it

A case says what a source has: captures of AWS that others have published, AWS's model of the API, its guides. Where a source
has the code of an error and not its words, the words are not compared. Nothing here was run against AWS itself, and the
sources' notes, not the captures, were read. Where a source reads "words of AWS, package …", the comments of that package are
the record of what AWS was seen to answer. The local Firehose was written from the same sources; moto was not. So this
compares both with the sources and is no measure of either against AWS. The tags of the sources stand for: GO, BOTO,
SMITHY the SDKs' models; DG23, DG-new the developer guide; STACKD, FLOCI, LSSNAP, BLOG-KR, PREFLIGHT what others saw of AWS; CDK the
CDK's source; PROBE the SDK watched at work.

What an answer must have is looked for twice: in its bytes, and in what the SDK made of them. Every call of every case is sent
by both SDKs, for which boto3's own check of its input is off (parameter_validation=False). Objects are read by the same SDK, and
wrong signatures are made by its signer.

moto does not claim all of this. Its source says that it ignores the size and number of records, that destinations'
parameters are hardly checked, that puts are bare bones, and that Encrypted is always false. It does not check signatures
unless told to, and does not say that it converts, partitions, processes or compresses records. It delivers each call at once
under keys of its own form, so cases of delivery need no flush there; for the local Firehose ` + "`POST /_hydrant/flush`" + ` delivers.
For the sake of the other areas, look at each by itself.
`

// column is what came of a run; it has no results if there was none.
type column struct {
	server  string
	sdk     conformance.SDK
	results []conformance.Result // in the order of the cases
}

func (c column) title() string { return fmt.Sprintf("%s by %s", c.server, c.sdk) }

// page is docs/CONFORMANCE.md. moto and boto3 are their names with a version.
func page(cases []conformance.Case, columns []column, moto, boto3 string) []byte {
	var b, totals bytes.Buffer
	titles(&totals, columns, "")
	row(&totals, columns, "**all**", func(c column) string { return "**" + passed(c.results) + "**" })
	areas := areas(cases)
	for _, a := range areas {
		row(&totals, columns, "["+a.name+"](#"+a.name+")", func(c column) string { return passed(a.of(c)) })
	}
	fmt.Fprintf(&b, head, len(cases), moto, boto3, totals.Bytes())
	for _, a := range areas {
		fmt.Fprintf(&b, "\n## %s\n\n", a.name)
		titles(&b, columns, "case", "source")
		for i := a.from; i < a.to; i++ {
			row(&b, columns, escape(cases[i].Name)+" | "+escape(cases[i].Source), func(c column) string { return c.cell(i) })
		}
		if list := differences(cases, columns, a); len(list) > 0 {
			fmt.Fprintf(&b, "\nWhat came instead:\n\n%s\n", strings.Join(list, "\n"))
		}
	}
	return b.Bytes()
}

// cell is what came of a case.
func (c column) cell(i int) string {
	switch {
	case c.results == nil:
		return "not run"
	case c.results[i].Err != nil:
		return "**no**"
	}
	return "yes"
}

// titles begins a table whose first columns are these.
func titles(b *bytes.Buffer, columns []column, first ...string) {
	row(b, columns, strings.Join(first, " | "), column.title)
	row(b, columns, strings.Join(slices.Repeat([]string{"---"}, len(first)), " | "), func(column) string { return "---" })
}

func row(b *bytes.Buffer, columns []column, first string, cell func(column) string) {
	fmt.Fprintf(b, "| %s |", first)
	for _, c := range columns {
		fmt.Fprintf(b, " %s |", cell(c))
	}
	b.WriteByte('\n')
}

// differences is what came instead of what an area's cases want. What came by each
// SDK is told once.
func differences(cases []conformance.Case, columns []column, a area) (lines []string) {
	for i := a.from; i < a.to; i++ {
		var texts []string // each once
		by := map[string][]conformance.SDK{}
		for _, c := range columns {
			if c.results == nil || c.results[i].Err == nil {
				continue
			}
			text := c.server + ": " + brief(c.results[i].Err)
			if by[text] == nil {
				texts = append(texts, text)
			}
			by[text] = append(by[text], c.sdk)
		}
		for _, text := range texts {
			line := "- *" + escape(cases[i].Name) + "*, " + escape(text)
			if len(by[text]) == 1 {
				line += fmt.Sprintf(" (by %s)", by[text][0])
			}
			lines = append(lines, line)
		}
		if cases[i].Known != "" {
			lines = append(lines, "- *"+escape(cases[i].Name)+"*, known of the local Firehose: "+escape(cases[i].Known))
		}
	}
	return lines
}

// area is cases that follow each other.
type area struct {
	name     string
	from, to int
}

func areas(cases []conformance.Case) (list []area) {
	for i, c := range cases {
		if len(list) == 0 || list[len(list)-1].name != c.Area {
			list = append(list, area{c.Area, i, i})
		}
		list[len(list)-1].to++
	}
	return list
}

// of is the area's part of a column.
func (a area) of(c column) []conformance.Result {
	if c.results == nil {
		return nil
	}
	return c.results[a.from:a.to]
}

func passed(results []conformance.Result) string {
	if results == nil {
		return "not run"
	}
	return fmt.Sprintf("%d of %d", passes(results), len(results))
}

func passes(results []conformance.Result) (n int) {
	for _, r := range results {
		if r.Err == nil {
			n++
		}
	}
	return n
}

// briefRunes is how much of an error is shown.
const briefRunes = 140

// changing is what differs from run to run.
var changing = []struct {
	*regexp.Regexp
	name string
}{
	{regexp.MustCompile(`c\d{3}-[a-z0-9]{6}`), "STREAM"},
	{regexp.MustCompile(`\d{4}/\d\d/\d\d/\d\d/`), "HOUR/"},
	{regexp.MustCompile(`\d{4}(-\d\d){5}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`), "TIME-UUID"},
	{regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`), "UUID"},
	{regexp.MustCompile(`\b\d{10}\.\d+`), "TIME"},
}

// brief is an error in one short line, the same in each run.
func brief(err error) string {
	line := strings.Join(strings.Fields(err.Error()), " ")
	for _, each := range changing {
		line = each.ReplaceAllString(line, each.name)
	}
	text := []rune(line)
	if len(text) > briefRunes {
		return string(text[:briefRunes]) + "…"
	}
	return string(text)
}

func escape(s string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "*", `\*`, "_", `\_`).Replace(s)
}
