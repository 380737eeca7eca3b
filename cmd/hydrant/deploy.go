package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/hydrant-go/hydrant/infra"
	"github.com/hydrant-go/hydrant/internal/ui"
)

type deployOptions struct {
	stack, template  string
	parameters, tags []string
	capabilities     []string
	dryRun, noWait   bool
}

func (a *app) deploy() *cobra.Command {
	var o deployOptions
	cmd := &cobra.Command{
		Use:   "deploy",
		Short: "Set up a delivery stream with its bucket, role, logs, alarms and dashboard, by CloudFormation",
		Long: `Set up a delivery stream with its bucket, role, logs, alarms and dashboard, by
CloudFormation, and print the stack's outputs. A stack that is there is updated; where
nothing has changed nothing happens. Parameters that are not given keep the values that
the stack has, or else the template's defaults; --dry-run prints the template with all
of them, and needs no AWS settings.

An interrupt leaves CloudFormation at work, and the same command waits for it. If it
fails, all is as it was before, and the first cause is shown.

hydrant send --stack, and its like, find the stream by the stack. hydrant destroy removes
all. The same template works with aws cloudformation deploy.`,
		Example: `  hydrant deploy
  hydrant deploy --stack events --parameter BufferIntervalSeconds=60 --tag team=data
  hydrant deploy --dry-run > template.json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runDeploy(cmd.Context(), &o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.stack, "stack", infra.DefaultStack, "name of the stack")
	f.StringArrayVar(&o.parameters, "parameter", nil, "value of a parameter of the template, NAME=VALUE; may be given more than once")
	f.StringArrayVar(&o.tags, "tag", nil, "tag of the stack and its resources, NAME=VALUE; may be given more than once (default: those that the stack has)")
	f.StringVar(&o.template, "template", "", "file with another template, JSON or YAML (default: Hydrant's own)")
	f.StringArrayVar(&o.capabilities, "capability", []string{"CAPABILITY_IAM"}, "what CloudFormation may do for the template; may be given more than once")
	f.BoolVar(&o.dryRun, "dry-run", false, "check the parameters, print the template, and do nothing")
	f.BoolVar(&o.noWait, "no-wait", false, "do not wait until CloudFormation is done")
	return cmd
}

// check makes infra's options of the flags.
func (o *deployOptions) check() (do infra.DeployOptions, err error) {
	do = infra.DeployOptions{Stack: o.stack, Template: infra.Template(), Capabilities: o.capabilities, NoWait: o.noWait}
	if err := infra.CheckStackName(o.stack); err != nil {
		return do, usageError("--stack: %w", err)
	}
	if o.template != "" {
		text, err := os.ReadFile(o.template)
		if err != nil {
			return do, usageError("--template: %w", err)
		}
		do.Template = string(text)
	}
	if do.Parameters, err = pairs("--parameter", o.parameters); err != nil {
		return do, err
	}
	if do.Tags, err = pairs("--tag", o.tags); err != nil {
		return do, err
	}
	if err := infra.CheckParameters(do.Template, do.Parameters); err != nil {
		return do, usageError("%w\nhint: hydrant deploy --dry-run prints the template with its parameters", err)
	}
	return do, nil
}

func (a *app) runDeploy(ctx context.Context, o *deployOptions) error {
	do, err := o.check()
	if err != nil {
		return err
	}
	if o.dryRun {
		_, err := fmt.Fprint(a.stdout, do.Template)
		return err
	}
	if do.AWS, err = a.aws(ctx); err != nil {
		return err
	}
	progress := a.stackProgress()
	do.Callbacks = progress.callbacks()
	done, err := infra.Deploy(ctx, do)
	progress.list.Stop()
	if err != nil {
		return leftToItself(ctx, err, fmt.Sprintf("the same command waits for it; hydrant destroy --stack %s takes it back", o.stack))
	}
	return a.showDeployed(done, o)
}

func (a *app) showDeployed(d *infra.Deployed, o *deployOptions) error {
	if a.json {
		return a.printJSON(d)
	}
	action := d.Action
	if o.noWait && action != infra.Unchanged {
		action = "begun" // CloudFormation's status says what
	}
	t := ui.NewTable(a.stdout)
	t.Row("stack", d.Stack+", "+action)
	t.Row("status", d.Status)
	t.Row("region", d.Region+", account "+d.Account)
	for _, name := range slices.Sorted(maps.Keys(d.Outputs)) {
		t.Row(name, d.Outputs[name])
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if o.noWait && action != infra.Unchanged {
		a.tell("\nCloudFormation is at work; the same command without --no-wait waits for it.")
	} else if d.Action == infra.Created && d.Outputs[infra.OutputStreamName] != "" {
		a.tell("\nNow send something to it, and remove it when you are done:\n\n  hydrant generate | hydrant send --stack %s\n  hydrant destroy --stack %[1]s", d.Stack)
	}
	return nil
}
