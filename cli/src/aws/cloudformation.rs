//! CloudFormation: a stack's outputs and resources.

use aws_sdk_cloudformation::{Client, error::ProvideErrorMetadata as _};
use aws_types::SdkConfig;

use crate::{
    error::Error,
    stack::{Resource, Stack},
};

/// The stack of this name.
pub(crate) async fn find_stack(config: &SdkConfig, name: &str) -> Result<Stack, Error> {
    let client = Client::new(config);
    let answer = client.describe_stacks().stack_name(name).send().await;
    let stack = match answer {
        Ok(answer) => answer.stacks.unwrap_or_default().into_iter().next(),
        Err(error) if error.code() == Some("ValidationError") => None,
        Err(error) => return Err(Error::aws("describe the stack", "DescribeStacks")(error)),
    };
    let stack = stack.ok_or_else(|| {
        Error::failed(
            "find the stack",
            format!("no stack {name} in this account and region; check --stack-name, --region and --profile"),
        )
    })?;
    let outputs = stack.outputs.unwrap_or_default();
    let parameters = stack.parameters.unwrap_or_default();
    let mut resources = Vec::new();
    let mut pages = client.list_stack_resources().stack_name(name).into_paginator().items().send();
    while let Some(resource) = pages.next().await {
        let resource = resource.map_err(Error::aws("list the stack's resources", "ListStackResources"))?;
        if let (Some(logical), Some(physical), Some(kind)) =
            (resource.logical_resource_id, resource.physical_resource_id, resource.resource_type)
        {
            resources.push(Resource { logical, physical, kind });
        }
    }
    Ok(Stack::new(
        name.to_owned(),
        stack.stack_id.unwrap_or_default(),
        parameters.into_iter().filter_map(|given| Some((given.parameter_key?, given.parameter_value?))).collect(),
        outputs.into_iter().filter_map(|output| Some((output.output_key?, output.output_value?))).collect(),
        resources,
    ))
}
