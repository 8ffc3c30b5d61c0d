/** Who is let in: those who have the attribute, with one of the values unless they are null. */
export interface AttributeRequirement {
  attribute: string;
  values: readonly string[] | null;
}

/** Whether the values that an identity provider gives meet all requirements. */
export function meetsRequirements(
  claims: Readonly<Record<string, readonly unknown[]>>,
  requirements: readonly AttributeRequirement[],
): boolean {
  return requirements.every(({ attribute, values }) => {
    const given = Object.hasOwn(claims, attribute) ? claims[attribute]! : null;
    if (given === null) return false;
    return values === null || given.some((value) => values.includes(String(value)));
  });
}
