// The CDK app of Hydrant's stack: a bucket, the delivery stream that fills it, what
// watches them, and the policy of who puts records. README.md lists its choices.
//
// The stack has no assets and no environment, so its template is a plain file that
// anything can deploy: infra/template.json is the one of the default choices.
package main

import (
	"fmt"
	"os"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
)

func main() {
	err := synth(&awscdk.AppProps{})
	jsii.Close()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// synth writes the template, for which props and the CDK CLI give context values and
// a folder.
func synth(props *awscdk.AppProps) error {
	props.AnalyticsReporting = jsii.Bool(false) // it is a resource that says who uses the CDK
	app := awscdk.NewApp(props)
	context, _ := app.Node().GetAllContext(nil).(map[string]any)
	c, err := readContext(context)
	if err != nil {
		return err
	}
	newStack(app, c)
	app.Synth(nil)
	return nil
}
