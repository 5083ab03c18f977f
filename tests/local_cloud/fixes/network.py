"""EC2's networks: fixed addresses."""

from ministack.services import ec2

from . import fix
from .provisioning import HANDLERS


@fix
def elastic_ips():
    """A stack may have Elastic IPs: `Ref` is the address, `AllocationId` is what a NAT gateway takes.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-eip.html
    """

    def allocate(_logical_id, properties, _stack):
        known = set(ec2._addresses)
        ec2._allocate_address({"Domain": [properties.get("Domain", "vpc")]})
        (allocation,) = set(ec2._addresses) - known
        address = ec2._addresses[allocation]["PublicIp"]
        return address, {"AllocationId": allocation, "PublicIp": address}

    def release(address, _properties):
        for allocation in [key for key, each in ec2._addresses.items() if each["PublicIp"] == address]:
            ec2._release_address({"AllocationId": [allocation]})

    def keep(address, *_rest, **_options):
        (allocation,) = (key for key, each in ec2._addresses.items() if each["PublicIp"] == address)
        return address, {"AllocationId": allocation, "PublicIp": address}

    HANDLERS["AWS::EC2::EIP"] = {"create": allocate, "update": keep, "delete": release}


@fix
def nat_gateways():
    """A stack may have NAT gateways, each with an Elastic IP that is then in use.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-natgateway.html
    """

    def create(_logical_id, properties, _stack):
        address = ec2._addresses.get(properties["AllocationId"])
        if address is None or address["AssociationId"]:
            raise ValueError(f"{properties['AllocationId']} is not an address that is free")
        if properties["SubnetId"] not in ec2._subnets:
            raise ValueError(f"{properties['SubnetId']} is not a subnet")
        known = set(ec2._nat_gateways)
        ec2._create_nat_gateway({name: [properties[name]] for name in ("SubnetId", "AllocationId")})
        (gateway,) = set(ec2._nat_gateways) - known
        address["AssociationId"] = f"eipassoc-{gateway.removeprefix('nat-')}"
        return gateway, {"NatGatewayId": gateway}

    def delete(gateway, properties):
        ec2._delete_nat_gateway({"NatGatewayId": [gateway]})
        if address := ec2._addresses.get(properties["AllocationId"]):
            address["AssociationId"] = None

    def keep(gateway, *_rest, **_options):
        return gateway, {"NatGatewayId": gateway}

    HANDLERS["AWS::EC2::NatGateway"] = {"create": create, "update": keep, "delete": delete}
